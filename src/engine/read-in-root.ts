/** Reads small files below a container's root, whose links may try to lead out of it. */
import { fstatSync, readSync } from 'node:fs'
import { TsrunError } from '../errors.ts'
import { errnoName } from '../linux/errno.ts'
import {
  AT_FDCWD,
  O_CLOEXEC,
  O_NONBLOCK,
  O_PATH,
  OPEN_HOW_SIZE_VER0,
  openFlagsFor,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
} from '../linux/open-flags.ts'
import { hostArchitecture } from '../native/library.ts'
import { OwnedFd } from '../native/owned-fd.ts'
import { newBatch, runBatch } from '../native/run-batch.ts'

const MAX_BYTES = 4 * 1024 * 1024

/** Text of the regular file `path` below `root`; undefined when there is none. */
export function readInRoot(root: string, path: string): string | undefined {
  using file = openInRoot(root, path)
  if (file === undefined) return undefined
  const { size } = fstatSync(file.fd)
  if (!fstatSync(file.fd).isFile()) return undefined
  if (size > MAX_BYTES) {
    throw new TsrunError(
      'invalid-argument',
      `cannot read ${path} of the container: it has ${size} bytes`,
    )
  }
  const buffer = Buffer.alloc(size)
  return buffer.toString('utf8', 0, readSync(file.fd, buffer, 0, size, 0))
}

// openat2(2) RESOLVE_IN_ROOT: absolute links and `..` stay below the root. O_NONBLOCK: a FIFO that
// stands there must not hold us.
function openInRoot(root: string, path: string): OwnedFd | undefined {
  const { O_DIRECTORY } = openFlagsFor(hostArchitecture())
  const batch = newBatch()
  const how = batch.words([O_CLOEXEC | O_NONBLOCK, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS])
  const folder = batch.sys('openat', [
    AT_FDCWD,
    batch.string(root),
    O_PATH | O_DIRECTORY | O_CLOEXEC,
    0,
  ])
  const file = batch.sys(
    'openat2',
    [folder, batch.string(path.replace(/^\/+/, '')), how, OPEN_HOW_SIZE_VER0],
    {
      tolerate: ['ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO', 'EACCES'],
    },
  )
  batch.run('close', [folder])
  const fd = runBatch(batch).value(file)
  if (fd >= 0) return new OwnedFd(fd)
  if (errnoName(-fd) !== 'EACCES') return undefined
  throw new TsrunError('permission-denied', `cannot read ${path} of the container`, {
    errno: 'EACCES',
  })
}
