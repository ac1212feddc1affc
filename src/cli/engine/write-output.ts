/** Where commands write tars: standard output, never a terminal, or a file. */
import { randomBytes } from 'node:crypto'
import { createWriteStream, renameSync, rmSync } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { errnoCodeOf, TsrunError } from '../../errors.ts'

/** Writes all of `chunks` and waits for a slow reader; a reader that goes ends it quietly. */
export async function writeOutput(chunks: AsyncIterable<Buffer>): Promise<void> {
  const { stdout } = process
  if (stdout.isTTY)
    throw new TsrunError('invalid-argument', 'cannot write a tar to a terminal', {
      hint: 'redirect it to a file or a pipe',
    })
  let failure: NodeJS.ErrnoException | undefined
  const onError = (error: NodeJS.ErrnoException) => {
    failure = error
  }
  stdout.on('error', onError)
  for await (const chunk of chunks) {
    if (failure !== undefined) break
    await new Promise<void>((resolve) => stdout.write(chunk, () => resolve()))
  }
  if (failure !== undefined && failure.code !== 'EPIPE')
    throw new TsrunError('unavailable', 'cannot write the output', { cause: failure })
}

/** A file whole or not at all: beside the target first, renamed when it is complete. */
export async function writeFileWhole(path: string, archive: AsyncIterable<Buffer>): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`
  try {
    await pipeline(archive, createWriteStream(temporary, { flags: 'wx', mode: 0o600, flush: true }))
    renameSync(temporary, path)
  } catch (cause) {
    rmSync(temporary, { force: true })
    if (cause instanceof TsrunError) throw cause
    const errno = errnoCodeOf(cause)
    throw new TsrunError('internal', `cannot write "${path}"`, {
      cause,
      ...(errno === undefined ? {} : { errno }),
    })
  }
}
