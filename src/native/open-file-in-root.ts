/** Opens plain files below a container's root, where somebody hostile may have put anything at all. */
import { constants, fstatSync, openSync } from 'node:fs'
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
import { hostArchitecture } from './library.ts'
import { OwnedFd } from './owned-fd.ts'
import { newBatch, runBatch } from './run-batch.ts'

/**
 * The regular file `path` below the directory `root`, for reading; undefined when there is none. Links
 * resolve below the root. Throws an error with the code EACCES for a file or directory that may not be read.
 */
export function openFileInRoot(root: string, path: string): OwnedFd | undefined {
  using place = openPathInRoot(root, path)
  return place === undefined ? undefined : openPlainFile(place.fd)
}

/** As {@link openFileInRoot}, but whatever is there, as a descriptor that is only a place (O_PATH). */
export function openPathInRoot(root: string, path: string | Buffer): OwnedFd | undefined {
  const { O_DIRECTORY } = openFlagsFor(hostArchitecture())
  const batch = newBatch()
  const how = batch.words([O_PATH | O_CLOEXEC, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS])
  const folder = batch.sys('openat', [
    AT_FDCWD,
    batch.string(root),
    O_PATH | O_DIRECTORY | O_CLOEXEC,
    0,
  ])
  // latin1 keeps each byte of a name that is no UTF-8.
  const text = (typeof path === 'string' ? Buffer.from(path) : path).toString('latin1')
  const below = Buffer.from(text.replace(/^\/+/, '') || '.', 'latin1')
  const relative = batch.bytes(Buffer.concat([below, Buffer.alloc(1)]), 1)
  const found = batch.sys('openat2', [folder, relative, how, OPEN_HOW_SIZE_VER0], {
    tolerate: ['ENOENT', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG'],
  })
  batch.run('close', [folder])
  const fd = runBatch(batch).value(found)
  return fd < 0 ? undefined : new OwnedFd(fd)
}

/**
 * Opens for reading what the O_PATH descriptor `fd` refers to; undefined when that is no regular file. To
 * open a device has effects of its own (a watchdog starts), and no device filter binds the process that
 * does it for the container.
 */
export function openPlainFile(fd: number): OwnedFd | undefined {
  if (!fstatSync(fd).isFile()) return undefined
  return new OwnedFd(openSync(`/proc/self/fd/${fd}`, constants.O_RDONLY | O_NONBLOCK))
}
