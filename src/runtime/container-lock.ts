/** flock(2) on a container's folder: one command at a time changes a container. */
import { constants, openSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { errnoCodeOf } from '../errors.ts'
import { isStillAt } from '../native/file-lock.ts'
import { OwnedFd } from '../native/owned-fd.ts'
import { flock } from '../native/syscalls.ts'
import { containerDirectory, containerNotFound } from '../state/state-directory.ts'

const RETRY_MS = 5

/**
 * Waits for the lock without blocking this thread: its holder may be another call of this process.
 * Throws `not-found` when the container is gone, also when it goes while we wait.
 */
export async function lockContainer(root: string, id: string): Promise<OwnedFd> {
  for (;;) {
    const lock = tryLockContainer(root, id)
    if (lock !== undefined) return lock
    await sleep(RETRY_MS)
  }
}

/** The lock, or undefined when another command holds it right now. Throws `not-found`. */
export function tryLockContainer(root: string, id: string): OwnedFd | undefined {
  const path = containerDirectory(root, id)
  const fd = openFolder(path, id)
  if (flock(fd.fd, 'exclusive', false)) {
    // Between open and flock the folder may have been removed, and another of this name be made.
    if (isStillAt(fd.fd, path)) return fd
  }
  fd.close()
  return undefined
}

function openFolder(path: string, id: string): OwnedFd {
  try {
    return new OwnedFd(openSync(path, constants.O_RDONLY | constants.O_DIRECTORY))
  } catch (cause) {
    if (errnoCodeOf(cause) === 'ENOENT') throw containerNotFound(id)
    throw cause
  }
}
