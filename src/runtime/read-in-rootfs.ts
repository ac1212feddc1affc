/** Reads a file of a container's root filesystem from outside. */
import { fstatSync, readSync } from 'node:fs'
import { errnoCodeOf } from '../errors.ts'
import { openFileInRoot } from '../native/open-file-in-root.ts'
import type { OwnedFd } from '../native/owned-fd.ts'

const CHUNK = 1 << 12

/**
 * At most `limit` bytes of `path` below `rootfs`, undefined when there is no such plain file that can be
 * opened. The image is hostile: symlinks resolve inside it, and what is not a plain file is not opened.
 */
export function readInRootfs(rootfs: string, path: string, limit: number): Buffer | undefined {
  using file = openOrNothing(rootfs, path)
  if (file === undefined) return undefined
  // A file of a procfs says 0: none is wanted here, and to read /proc/kmsg takes from it.
  return readUpTo(file.fd, Math.min(fstatSync(file.fd).size, limit))
}

function openOrNothing(rootfs: string, path: string): OwnedFd | undefined {
  try {
    return openFileInRoot(rootfs, path)
  } catch (error) {
    if (errnoCodeOf(error) === undefined) throw error
    return undefined
  }
}

function readUpTo(fd: number, limit: number): Buffer {
  const chunks: Buffer[] = []
  for (let length = 0; length < limit; ) {
    const chunk = Buffer.allocUnsafe(Math.min(CHUNK, limit - length))
    const count = readSync(fd, chunk, 0, chunk.length, length)
    if (count === 0) break
    chunks.push(chunk.subarray(0, count))
    length += count
  }
  return Buffer.concat(chunks)
}
