/** Keeps what others write from filling the file system of the store to its last byte. */
import { statfsSync } from 'node:fs'
import { TsrunError } from '../errors.ts'
import { humanSize } from './size.ts'

/** Bytes after which a writer looks again. */
const INTERVAL = 8 * 1024 * 1024
const MAX_RESERVE = 64 * 1024 * 1024
const MAX_INODE_RESERVE = 1000
/** Of the file system: what stays free where the reserve above would be too much. */
const RESERVED_PART = 100

/** Throws `failed-precondition` (ENOSPC) unless `bytes` more fit into the file system of `folder`. */
export function checkFreeSpace(folder: string, bytes: number): void {
  const { bavail, blocks, bsize, ffree, files } = statfsSync(folder)
  // Some file systems count neither: 0 says nothing there.
  const spare = Math.min(MAX_RESERVE, (blocks * bsize) / RESERVED_PART)
  const free = Math.max(0, bavail * bsize - spare)
  if (blocks > 0 && free < bytes) throw full(`${humanSize(free, 3)} are free for it`, bytes)
  if (files > 0 && ffree < Math.min(MAX_INODE_RESERVE, files / RESERVED_PART))
    throw full('it has no inodes left', 0)
}

/** Bytes that the file system of `path` can hold when it is empty; infinite where it does not say. */
export function filesystemSize(path: string): number {
  const { blocks, bsize } = statfsSync(path)
  return blocks === 0 ? Number.POSITIVE_INFINITY : blocks * bsize
}

/** Looks at the file system of `folder` now and then while a writer of unknown length goes on. */
export class SpaceWatch {
  readonly #folder: string
  #unchecked = 0

  constructor(folder: string) {
    this.#folder = folder
  }

  /** To be called before so many bytes are written. */
  willWrite(bytes: number): void {
    this.#unchecked += bytes
    if (this.#unchecked < INTERVAL) return
    checkFreeSpace(this.#folder, this.#unchecked)
    this.#unchecked = 0
  }
}

function full(detail: string, bytes: number): TsrunError {
  const wanted = bytes === 0 ? '' : `${humanSize(bytes, 3)} are wanted, `
  return new TsrunError('failed-precondition', `no space left on the device: ${wanted}${detail}`, {
    errno: 'ENOSPC',
    hint: 'free space or choose another --data-root; what was finished is kept',
  })
}
