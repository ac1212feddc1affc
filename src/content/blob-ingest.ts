/** One blob on its way into a local content store: hashed and counted while it is written. */
import { createHash, type Hash } from 'node:crypto'
import { createReadStream, rmSync } from 'node:fs'
import { type FileHandle, open, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { errnoCodeOf, TsrunError } from '../errors.ts'
import { parseDigest } from '../oci/digest.ts'
import type { Descriptor } from '../oci/image.ts'
import { syncFolder } from '../util/atomic-write.ts'
import { checkFreeSpace, SpaceWatch } from '../util/free-space.ts'
import type { Ingest } from './content-store.ts'

export interface BlobIngestOptions {
  readonly descriptor: Pick<Descriptor, 'digest' | 'size'>
  /** Where the content grows. */
  readonly path: string
  /** Where the blob will be. */
  readonly target: string
  /** Held until the ingest is disposed. */
  readonly lock: Disposable
}

/** Opens the ingest at `options.path`; what is there already is kept when it can be a part of the blob. */
export async function openBlobIngest(options: BlobIngestOptions): Promise<BlobIngest> {
  const { digest, size: wanted } = options.descriptor
  const file = await open(options.path, 'r+')
  try {
    const { size } = await file.stat()
    const offset = size <= wanted ? size : 0
    if (offset !== size) await file.truncate(0)
    checkSpaceFor(options.path, digest, wanted - offset)
    return new BlobIngest(options, file, offset)
  } catch (error) {
    await file.close()
    throw error
  }
}

export class BlobIngest implements Ingest {
  readonly offset: number
  readonly #options: BlobIngestOptions
  readonly #file: FileHandle
  readonly #hash: Hash
  #hashed = 0
  #written: number
  #isOpen = true

  constructor(options: BlobIngestOptions, file: FileHandle, offset: number) {
    this.#options = options
    this.#file = file
    this.#hash = createHash(parseDigest(options.descriptor.digest).algorithm)
    this.offset = offset
    this.#written = offset
  }

  async *replay(): AsyncGenerator<Buffer> {
    if (this.offset === 0) return
    const { path } = this.#options
    const stream = createReadStream(path, { end: this.offset - 1, highWaterMark: 256 * 1024 })
    for await (const chunk of stream) {
      this.#hash.update(chunk as Buffer)
      this.#hashed += (chunk as Buffer).length
      yield chunk as Buffer
    }
  }

  async write(chunk: Buffer): Promise<void> {
    const { digest, size } = this.#options.descriptor
    if (this.#hashed !== this.#written)
      throw new RangeError('an ingest is written before its replay')
    if (this.#written + chunk.length > size) {
      this.discard()
      throw new TsrunError(
        'invalid-argument',
        `cannot store blob "${digest}": it is longer than its size of ${size} bytes`,
      )
    }
    this.#hash.update(chunk)
    for (let at = 0; at < chunk.length; ) {
      const { bytesWritten } = await this.#write(chunk, at)
      at += bytesWritten
    }
    this.#hashed += chunk.length
    this.#written += chunk.length
  }

  async commit(): Promise<void> {
    const { digest, size } = this.#options.descriptor
    // Short content is kept: a next attempt goes on where this one ended.
    if (this.#written !== size) {
      throw new TsrunError(
        'unavailable',
        `cannot store blob "${digest}": it ended after ${this.#written} of ${size} bytes`,
      )
    }
    const actual = this.#hash.digest('hex')
    const { algorithm, hex } = parseDigest(digest)
    if (actual !== hex) {
      this.discard()
      throw new TsrunError(
        'invalid-argument',
        `cannot store blob "${digest}": its content has the digest ${algorithm}:${actual}`,
        { hint: 'the content was damaged or replaced on its way' },
      )
    }
    await this.#file.sync()
    await this.#file.chmod(0o644)
    await rename(this.#options.path, this.#options.target)
    syncFolder(dirname(this.#options.target))
    this[Symbol.dispose]()
  }

  discard(): void {
    rmSync(this.#options.path, { force: true })
    this[Symbol.dispose]()
  }

  [Symbol.dispose](): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#file.close().catch(() => {
      // close(2) reports late write errors; the content is verified again before it counts.
    })
    this.#options.lock[Symbol.dispose]()
  }

  async #write(chunk: Buffer, at: number): Promise<{ bytesWritten: number }> {
    try {
      return await this.#file.write(chunk, at, chunk.length - at, this.#written + at)
    } catch (cause) {
      throw storeError(this.#options.descriptor.digest, cause)
    }
  }
}

/** A failure to write, with the remedy when the disk is full. */
export function storeError(digest: string, cause: unknown): TsrunError {
  const errno = errnoCodeOf(cause)
  const isFull = errno === 'ENOSPC' || errno === 'EDQUOT'
  return new TsrunError(
    isFull ? 'failed-precondition' : 'internal',
    `cannot store blob "${digest}"${isFull ? ': no space left on the device' : ''}`,
    {
      cause,
      ...(errno === undefined ? {} : { errno }),
      ...(isFull
        ? { hint: 'free space or choose another --data-root; what was finished is kept' }
        : {}),
    },
  )
}

// A manifest may say any size: better now than when the disk is full.
function checkSpaceFor(path: string, digest: string, bytes: number): void {
  try {
    checkFreeSpace(path, bytes)
  } catch (cause) {
    const kind = cause instanceof TsrunError ? cause.kind : 'internal'
    throw new TsrunError(kind, `cannot store blob "${digest}"`, { cause })
  }
}

/** Writes all of `source` to the existing file `path`, durably; returns what it turned out to be. */
export async function writeHashed(
  path: string,
  source: AsyncIterable<Buffer>,
): Promise<Pick<Descriptor, 'digest' | 'size'>> {
  const hash = createHash('sha256')
  const file = await open(path, 'r+')
  const space = new SpaceWatch(path)
  let size = 0
  try {
    for await (const chunk of source) {
      hash.update(chunk)
      space.willWrite(chunk.length)
      try {
        await file.writeFile(chunk)
      } catch (cause) {
        throw storeError('sha256:…', cause)
      }
      size += chunk.length
    }
    await file.sync()
    await file.chmod(0o644)
  } finally {
    await file.close()
  }
  return { digest: `sha256:${hash.digest('hex')}`, size }
}
