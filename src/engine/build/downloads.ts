/**
 * What ADD downloads: each address once in a build, into files below the data root (a /tmp may be memory) that have
 * no name and so go with the process.
 */
import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, openSync, unlinkSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { errnoCodeOf, TsrunError } from '../../errors.ts'
import { OwnedFd } from '../../native/owned-fd.ts'
import { download, shownAddress } from '../../registry/download.ts'
import type { CopySources } from './copy-request.ts'

export interface DownloadedFile {
  readonly file: OwnedFd
  /** The last part of the address. */
  readonly name: string
  readonly size: number
  readonly digest: string
  readonly lastModified: Date | undefined
}

/** Whether a source is no path: an address that ADD downloads, or one of a git repository. */
export function isRemote(word: string): boolean {
  return /^(https?:\/\/|git@|git:\/\/|ssh:\/\/)/.test(word)
}

/** The download that a word of ADD asks for; undefined for a path. Throws for what is remote and not to be had. */
export async function downloadOf(
  { kind, downloads, checksum, patterns }: Remote,
  word: string,
): Promise<DownloadedFile | undefined> {
  const isAddress = kind === 'add' && isRemote(word)
  if (checksum !== undefined && (!isAddress || patterns.length !== 1))
    throw new TsrunError(
      'invalid-argument',
      `cannot use --checksum for ${JSON.stringify(word)}: it is for one http or https source`,
    )
  return isAddress ? await downloads?.get(word, checksum) : undefined
}

type Remote = Pick<CopySources, 'kind' | 'downloads' | 'checksum' | 'patterns'>

const ALGORITHMS: ReadonlyMap<string, number> = new Map([
  ['sha256', 64],
  ['sha384', 96],
  ['sha512', 128],
])

/** A server that never ends its answer must not fill the disk; no release of anything is as large. */
const MAX_BYTES = 16 * 1024 ** 3

export class Downloads implements Disposable {
  readonly #folder: string
  readonly #maxBytes: number
  readonly #signal: AbortSignal | undefined
  readonly #files = new Map<string, Promise<DownloadedFile>>()

  /** `folder` is created when there is something to download. */
  constructor(
    folder: string,
    options: { signal?: AbortSignal | undefined; maxBytes?: number } = {},
  ) {
    this.#folder = folder
    this.#maxBytes = options.maxBytes ?? MAX_BYTES
    this.#signal = options.signal
  }

  /** The file of the address; with `checksum` its content must have that digest. */
  async get(word: string, checksum: string | undefined): Promise<DownloadedFile> {
    const algorithm = algorithmOf(checksum)
    const key = `${algorithm} ${word}`
    const known = this.#files.get(key)
    const fetching = known ?? this.#fetch(word, algorithm)
    this.#files.set(key, fetching)
    const file = await fetching
    if (checksum === undefined || file.digest === checksum) return file
    throw new TsrunError(
      'failed-precondition',
      `cannot use "${shownAddress(new URL(word))}": its digest is ${file.digest}, and --checksum says ${checksum}`,
    )
  }

  async #fetch(word: string, algorithm: string): Promise<DownloadedFile> {
    const url = addressOf(word)
    const name = nameOf(url)
    const file = namelessFile(this.#folder)
    const hash = createHash(algorithm)
    let size = 0
    try {
      const { lastModified } = await download(url, {
        signal: this.#signal,
        write: (chunk) => {
          size += chunk.length
          if (size > this.#maxBytes) throw tooLarge(url, this.#maxBytes)
          writeAll(file, chunk, url)
          hash.update(chunk)
        },
      })
      return { file, name, size, digest: `${algorithm}:${hash.digest('hex')}`, lastModified }
    } catch (error) {
      file.close()
      throw error
    }
  }

  /** All files are given back; none may be in use. */
  [Symbol.dispose](): void {
    for (const fetching of this.#files.values()) {
      fetching.then(
        ({ file }) => file.close(),
        () => {
          // Whoever asked for it has heard.
        },
      )
    }
    this.#files.clear()
  }
}

function addressOf(word: string): URL {
  if (!/^https?:/.test(word)) throw noGit(word)
  if (!URL.canParse(word))
    throw new TsrunError(
      'invalid-argument',
      `cannot download ${JSON.stringify(word)}: it is no address`,
    )
  const url = new URL(word)
  if (!/\.git\/?$/.test(url.pathname)) return url
  throw noGit(shownAddress(url))
}

function noGit(address: string): TsrunError {
  return new TsrunError(
    'not-implemented',
    `cannot add ${JSON.stringify(address)}: git repositories are not supported`,
    { hint: 'clone it in a RUN, or into the context' },
  )
}

function nameOf(url: URL): string {
  const last = url.pathname.split('/').at(-1) ?? ''
  const name = decoded(last)
  if (name !== '' && name !== '.' && name !== '..' && !/[/\0]/.test(name)) return name
  throw new TsrunError(
    'invalid-argument',
    `cannot add "${shownAddress(url)}": its last part is no name of a file`,
  )
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    // A percent sign that means nothing is part of the name.
    return text
  }
}

function algorithmOf(checksum: string | undefined): string {
  if (checksum === undefined) return 'sha256'
  const [algorithm = '', hex = ''] = checksum.split(':')
  if (ALGORITHMS.get(algorithm) === hex.length && /^[0-9a-f]+$/.test(hex)) return algorithm
  throw new TsrunError(
    'invalid-argument',
    `cannot use --checksum ${JSON.stringify(checksum)}: it is no digest`,
    { hint: 'write it as sha256: and 64 hexadecimal digits' },
  )
}

function namelessFile(folder: string): OwnedFd {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const path = join(folder, randomBytes(8).toString('hex'))
  const file = new OwnedFd(openSync(path, 'wx+', 0o600))
  unlinkSync(path)
  return file
}

function writeAll(file: OwnedFd, chunk: Buffer, url: URL): void {
  try {
    for (let done = 0; done < chunk.length; ) done += writeSync(file.fd, chunk, done)
  } catch (cause) {
    const errno = errnoCodeOf(cause)
    if (errno !== 'ENOSPC' && errno !== 'EDQUOT') throw cause
    throw new TsrunError(
      'failed-precondition',
      `cannot download "${shownAddress(url)}": no space is left`,
      { errno, hint: 'free space on the data root' },
    )
  }
}

function tooLarge(url: URL, maxBytes: number): TsrunError {
  return new TsrunError(
    'failed-precondition',
    `cannot download "${shownAddress(url)}": it is longer than ${maxBytes} bytes`,
    { hint: 'fetch it in a RUN' },
  )
}
