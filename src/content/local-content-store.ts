/**
 * The content store as an OCI image layout on a local file system (image-spec image-layout.md):
 *
 *   <root>/oci-layout
 *   <root>/index.json              names, written by image-names.ts
 *   <root>/blobs/sha256/<hex>      whole and verified
 *   <root>/ingest/sha256-<hex>     parts; their writer holds flock(2) on them
 *   <root>/.lock                   shared: "I store blobs nothing refers to yet"; exclusive: collect
 *   <root>/.index-lock             exclusive: "I write index.json or oci-layout"
 */
import { createHash, randomBytes } from 'node:crypto'
import { createReadStream, mkdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { errnoCodeOf, TsrunError } from '../errors.ts'
import { type Digest, parseDigest } from '../oci/digest.ts'
import type { Descriptor } from '../oci/image.ts'
import {
  isTemporary,
  removeStaleTemporaries,
  syncFolder,
  writeFileAtomic,
} from '../util/atomic-write.ts'
import { namesIn } from '../util/if-there.ts'
import { openBlobIngest, writeHashed } from './blob-ingest.ts'
import type { ContentStore, FileLocks, Ingest } from './content-store.ts'
import { INDEX_LOCK } from './image-names.ts'

const LAYOUT = '{"imageLayoutVersion":"1.0.0"}'
/** Content whose digest is not known yet, unlike the parts of blobs beside it. */
const TEMPORARY = 'tmp-'
const ALGORITHMS = ['sha256', 'sha512'] as const

export class LocalContentStore implements ContentStore {
  readonly root: string
  readonly #locks: FileLocks
  #isPrepared = false

  /** Nothing is created before something is stored. */
  constructor(root: string, locks: FileLocks) {
    this.root = root
    this.#locks = locks
  }

  has(digest: string, size?: number): boolean {
    const actual = this.sizeOf(digest)
    return actual !== undefined && (size === undefined || size === actual)
  }

  sizeOf(digest: string): number | undefined {
    return sizeOfFile(this.#blobPath(parseDigest(digest)))
  }

  read(digest: string, maximum: number): Buffer {
    const size = this.sizeOf(digest)
    if (size === undefined) throw blobNotFound(digest)
    if (size > maximum) {
      throw new TsrunError(
        'invalid-argument',
        `cannot read blob "${digest}": it is larger than ${maximum} bytes`,
      )
    }
    const parsed = parseDigest(digest)
    const bytes = readFileSync(this.#blobPath(parsed))
    // Small documents decide what runs: they are checked at each reading.
    const actual = createHash(parsed.algorithm).update(bytes).digest('hex')
    if (actual !== parsed.hex) throw damaged(digest)
    return bytes
  }

  async *stream(digest: string, start = 0, end?: number): AsyncGenerator<Buffer> {
    if (end !== undefined && end <= start) return
    const stream = createReadStream(this.#blobPath(parseDigest(digest)), {
      highWaterMark: 256 * 1024,
      start,
      ...(end === undefined ? {} : { end: end - 1 }),
    })
    try {
      for await (const chunk of stream) yield chunk as Buffer
    } catch (cause) {
      if (errnoCodeOf(cause) === 'ENOENT') throw blobNotFound(digest)
      throw cause
    }
  }

  async openIngest(descriptor: Pick<Descriptor, 'digest' | 'size'>): Promise<Ingest | undefined> {
    const digest = parseDigest(descriptor.digest)
    const target = this.#blobPath(digest)
    await this.#prepare()
    if (this.#isWhole(target, descriptor)) return undefined
    const path = join(this.root, 'ingest', `${digest.algorithm}-${digest.hex}`)
    const lock = await this.#locks.lock(path, 'exclusive')
    try {
      if (this.#isWhole(target, descriptor)) {
        rmSync(path, { force: true })
        lock[Symbol.dispose]()
        return undefined
      }
      return await openBlobIngest({ descriptor, path, target, lock })
    } catch (error) {
      lock[Symbol.dispose]()
      throw error
    }
  }

  async write(bytes: Uint8Array, digest?: string): Promise<Pick<Descriptor, 'digest' | 'size'>> {
    const descriptor = {
      digest: digest ?? `sha256:${createHash('sha256').update(bytes).digest('hex')}`,
      size: bytes.length,
    }
    using ingest = await this.openIngest(descriptor)
    if (ingest === undefined) return descriptor
    for await (const _ of ingest.replay()) {
      // Only for the digest: a part of the same content was left by an earlier attempt.
    }
    const rest = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).subarray(ingest.offset)
    await ingest.write(rest)
    await ingest.commit()
    return descriptor
  }

  async writeStream(source: AsyncIterable<Buffer>): Promise<Pick<Descriptor, 'digest' | 'size'>> {
    await this.#prepare()
    const path = join(this.root, 'ingest', `${TEMPORARY}${randomBytes(8).toString('hex')}`)
    const lock = await this.#locks.lock(path, 'exclusive')
    try {
      const descriptor = await writeHashed(path, source)
      const target = this.#blobPath(parseDigest(descriptor.digest))
      renameSync(path, target)
      syncFolder(dirname(target))
      return descriptor
    } catch (error) {
      rmSync(path, { force: true })
      throw error
    } finally {
      lock[Symbol.dispose]()
    }
  }

  async verify(digest: string): Promise<void> {
    const parsed = parseDigest(digest)
    const hash = createHash(parsed.algorithm)
    for await (const chunk of this.stream(digest)) hash.update(chunk)
    if (hash.digest('hex') !== parsed.hex) throw damaged(digest)
  }

  list(): readonly string[] {
    return ALGORITHMS.flatMap((algorithm) =>
      namesIn(join(this.root, 'blobs', algorithm)).map((hex) => `${algorithm}:${hex}`),
    )
  }

  remove(digest: string): void {
    rmSync(this.#blobPath(parseDigest(digest)), { force: true })
  }

  async hold(): Promise<Disposable> {
    await this.#prepare()
    return await this.#locks.lock(join(this.root, '.lock'), 'shared')
  }

  tryExclusive(): Disposable | undefined {
    mkdirSync(this.root, { recursive: true, mode: 0o700 })
    return this.#locks.tryLock(join(this.root, '.lock'), 'exclusive')
  }

  removeAbandoned(): void {
    this.#removeIngests((name) => name.startsWith(TEMPORARY))
    if (!namesIn(this.root).some(isTemporary)) return
    using lock = this.#locks.tryLock(join(this.root, INDEX_LOCK), 'exclusive')
    if (lock !== undefined) removeStaleTemporaries(this.root)
  }

  removeUnfinished(): number {
    return this.#removeIngests(() => true)
  }

  #removeIngests(wanted: (name: string) => boolean): number {
    let removed = 0
    for (const name of namesIn(join(this.root, 'ingest')).filter(wanted)) {
      const path = join(this.root, 'ingest', name)
      const lock = this.#locks.tryLock(path, 'exclusive')
      if (lock === undefined) continue
      removed += sizeOfFile(path) ?? 0
      rmSync(path, { force: true })
      lock[Symbol.dispose]()
    }
    return removed
  }

  // A file of another size is not the blob: a disk error or a foreign hand; it is made anew.
  #isWhole(target: string, descriptor: Pick<Descriptor, 'digest' | 'size'>): boolean {
    const size = sizeOfFile(target)
    if (size === undefined) return false
    if (size === descriptor.size) return true
    throw new TsrunError(
      'invalid-argument',
      `cannot store blob "${descriptor.digest}": it is here with ${size} bytes, not ${descriptor.size}`,
    )
  }

  #blobPath({ algorithm, hex }: Digest): string {
    return join(this.root, 'blobs', algorithm, hex)
  }

  async #prepare(): Promise<void> {
    if (this.#isPrepared) return
    for (const algorithm of ALGORITHMS) {
      mkdirSync(join(this.root, 'blobs', algorithm), { recursive: true, mode: 0o700 })
    }
    mkdirSync(join(this.root, 'ingest'), { recursive: true, mode: 0o700 })
    if (sizeOfFile(join(this.root, 'oci-layout')) === undefined) {
      using _ = await this.#locks.lock(join(this.root, INDEX_LOCK), 'exclusive')
      writeFileAtomic(join(this.root, 'oci-layout'), LAYOUT, { mode: 0o644 })
    }
    this.#isPrepared = true
  }
}

function sizeOfFile(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.size
}

function blobNotFound(digest: string): TsrunError {
  return new TsrunError('not-found', `cannot find blob "${digest}" in the store`, {
    hint: 'pull the image again',
  })
}

function damaged(digest: string): TsrunError {
  return new TsrunError(
    'failed-precondition',
    `cannot use blob "${digest}": its content is damaged`,
    {
      hint: 'remove the image and pull it again',
    },
  )
}
