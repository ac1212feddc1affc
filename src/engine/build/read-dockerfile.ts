/** Finds and reads the Dockerfile of a build. */
import { join, resolve } from 'node:path'
import { TsrunError } from '../../errors.ts'
import { existsAt } from '../../util/if-there.ts'
import type { BuildRequest } from './build-request.ts'
import { findContext } from './find-context.ts'
import { readRegularFile, tooLong } from './read-regular-file.ts'

/** As src/dockerfile: no more is parsed. */
const MAX_BYTES = 1024 * 1024

/** `context` and `file` as on the command line: `-` is standard input. */
export async function readDockerfile({
  context,
  file,
}: {
  readonly context: string
  readonly file: string | undefined
}): Promise<BuildRequest['dockerfile']> {
  if (/^(https?:\/\/|git@|git:\/\/|ssh:\/\/|github\.com\/)/.test(context))
    throw new TsrunError(
      'not-implemented',
      `cannot build "${context}": the context must be a folder of this machine`,
      { hint: 'fetch it first, with git clone for example' },
    )
  if (file === '-' || (context === '-' && file === undefined))
    return { name: 'Dockerfile', text: await readInput(), path: undefined }
  const path = file ?? findIn(context)
  try {
    return {
      name: file ?? path.slice(context.length).replace(/^\/+/, ''),
      text: readRegularFile(path, `the Dockerfile "${path}"`, MAX_BYTES),
      path: resolve(path),
    }
  } catch (cause) {
    if (cause instanceof TsrunError) throw cause
    throw new TsrunError('invalid-argument', `cannot read the Dockerfile "${path}"`, { cause })
  }
}

function findIn(context: string): string {
  findContext(context)
  for (const name of ['Dockerfile', 'Containerfile']) {
    const path = join(context, name)
    if (existsAt(path)) return path
  }
  throw new TsrunError(
    'not-found',
    `cannot build "${context}": it has neither a Dockerfile nor a Containerfile`,
    { hint: 'name the file with -f' },
  )
}

async function readInput(): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of process.stdin) {
    const bytes = Buffer.from(chunk)
    length += bytes.length
    // A gzip stream or the magic of a tar header: people pipe whole contexts into docker.
    if (chunks.length === 0 && (bytes.readUInt8(0) === 0x1f || bytes.includes('ustar\0', 257)))
      throw new TsrunError(
        'not-implemented',
        'cannot build standard input: it is an archive, not a Dockerfile',
        { hint: 'unpack it into a folder and name that' },
      )
    if (length > MAX_BYTES) throw tooLong('the Dockerfile "standard input"', MAX_BYTES)
    chunks.push(bytes)
  }
  return Buffer.concat(chunks).toString('utf8')
}
