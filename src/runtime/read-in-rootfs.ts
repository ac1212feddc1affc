/** Reads a file of a container's root filesystem from outside. */
import { readSync } from 'node:fs'
import { errnoCodeOf } from '../errors.ts'
import {
  AT_FDCWD,
  O_CLOEXEC,
  O_NONBLOCK,
  O_PATH,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
} from '../linux/open-flags.ts'
import { OwnedFd } from '../native/owned-fd.ts'
import { newBatch, runBatch } from '../native/run-batch.ts'

const CHUNK = 1 << 12

/**
 * At most `limit` bytes of `path` below `rootfs`, undefined when there is no such plain file. The image is
 * hostile: symlinks resolve inside it, and what is not a plain file is not read.
 */
export function readInRootfs(rootfs: string, path: string, limit: number): Buffer | undefined {
  const batch = newBatch()
  const how = batch.words([O_CLOEXEC | O_NONBLOCK, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS])
  const root = batch.sys('openat', [AT_FDCWD, batch.string(rootfs), O_PATH | O_CLOEXEC, 0], {
    tolerate: ['*'],
  })
  const fd = batch.sys('openat2', [root, batch.string(path), how, 24], { tolerate: ['*'] })
  batch.run('close', [root], { tolerate: ['EBADF'] })
  const opened = runBatch(batch).value(fd)
  if (opened < 0) return undefined
  using file = new OwnedFd(opened)
  try {
    return readUpTo(file.fd, limit)
  } catch (error) {
    const code = errnoCodeOf(error)
    if (code === 'EISDIR' || code === 'ESPIPE' || code === 'EINVAL') return undefined
    throw error
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
