/** Content-addressed blobs as an interface, and what it needs from the outside. */
import type { Descriptor } from '../oci/image.ts'

/**
 * Blobs by digest. A blob is either absent or whole and verified: it comes to be only through an
 * {@link Ingest}, which may be interrupted at any instant (also by SIGKILL) and taken up again.
 *
 *   openIngest ──► write … write ──► commit ──► blob
 *        ▲             │
 *        └── close ◄───┘   the part written so far stays, for the next openIngest of that digest
 *
 * One process at a time ingests a digest; others wait in openIngest and find the blob when it is done.
 * Nothing removes blobs but {@link ContentStore.remove}; its callers hold the store's exclusive lock,
 * and whoever stores blobs that nothing refers to yet holds the shared one ({@link ContentStore.hold}).
 */
export interface ContentStore {
  /** Whether the blob is there with this size. */
  has(digest: string, size?: number): boolean
  /** Size in bytes, undefined when there is no such blob. */
  sizeOf(digest: string): number | undefined
  /** The whole blob, for manifests and configs; throws `not-found`, and `invalid-argument` above `maximum`. */
  read(digest: string, maximum: number): Buffer
  /** The blob in chunks, or its bytes from `start` to before `end`. */
  stream(digest: string, start?: number, end?: number): AsyncIterable<Buffer>
  /** The right to write the blob, or undefined when it is there already. Waits for another writer. */
  openIngest(descriptor: Pick<Descriptor, 'digest' | 'size'>): Promise<Ingest | undefined>
  /** Stores small content that is already in memory. */
  write(bytes: Uint8Array, digest?: string): Promise<Pick<Descriptor, 'digest' | 'size'>>
  /** Stores content whose digest is only known at its end. */
  writeStream(source: AsyncIterable<Buffer>): Promise<Pick<Descriptor, 'digest' | 'size'>>
  /** Reads the blob and compares; throws `failed-precondition` when it is damaged. */
  verify(digest: string): Promise<void>
  list(): readonly string[]
  remove(digest: string): void
  /** Keeps every blob from being collected until disposed. */
  hold(): Promise<Disposable>
  /** The right to remove blobs, or undefined while someone else holds. */
  tryExclusive(): Disposable | undefined
  /** Removes unfinished ingests that nobody writes, and returns how many bytes they had. */
  removeUnfinished(): number
  /** Removes what dead processes left and nobody can go on with. */
  removeAbandoned(): void
}

/** A blob on its way into the store; the caller is its only writer. Dispose it in any case. */
export interface Ingest extends Disposable {
  /** Bytes that are already there from an earlier attempt. */
  readonly offset: number
  /** The bytes that are already there, which also brings the digest up to date; once, before the first write. */
  replay(): AsyncIterable<Buffer>
  write(chunk: Buffer): Promise<void>
  /** Verifies size and digest and makes the blob visible. A mismatch throws and discards the content. */
  commit(): Promise<void>
  /** Throws the content away. */
  discard(): void
}

/** flock(2), which Node does not have: handed in, because this folder knows no native code. */
export interface FileLocks {
  lock(path: string, mode: 'shared' | 'exclusive'): Promise<Disposable>
  tryLock(path: string, mode: 'shared' | 'exclusive'): Disposable | undefined
}
