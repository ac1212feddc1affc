/** flock(2) on a container's folder: one command at a time changes a container. */
import { constants, openSync } from 'node:fs'
import { errnoCodeOf } from '../errors.ts'
import { OwnedFd } from '../native/owned-fd.ts'
import { flock } from '../native/syscalls.ts'
import { containerDirectory, containerNotFound } from '../state/state-directory.ts'

/** Waits for the lock. Throws `not-found` when the folder is gone. */
export function lockContainer(root: string, id: string): OwnedFd {
  const fd = openFolder(root, id)
  flock(fd.fd, 'exclusive', true)
  return fd
}

/** The lock, or undefined when another command holds it right now. */
export function tryLockContainer(root: string, id: string): OwnedFd | undefined {
  const fd = openFolder(root, id)
  if (flock(fd.fd, 'exclusive', false)) return fd
  fd.close()
  return undefined
}

function openFolder(root: string, id: string): OwnedFd {
  try {
    return new OwnedFd(
      openSync(containerDirectory(root, id), constants.O_RDONLY | constants.O_DIRECTORY),
    )
  } catch (cause) {
    if (errnoCodeOf(cause) === 'ENOENT') throw containerNotFound(id)
    throw cause
  }
}
