/** flock(2) on a file by path, released when disposed or when the process dies. */
import { constants, fstatSync, openSync, statSync } from 'node:fs'
import { errnoCodeOf } from '../errors.ts'
import { OwnedFd } from './owned-fd.ts'
import { newBatch, runBatchAsync } from './run-batch.ts'
import { flock } from './syscalls.ts'

export type LockMode = 'shared' | 'exclusive'

const LOCK_SH = 1 // sys/file.h
const LOCK_EX = 2

// One blocked thread of libuv's pool at most: zlib and file I/O of those who hold locks need the others.
let waiting: Promise<unknown> = Promise.resolve()

/** Waits for the lock on the file at `path`, which is created empty when it is not there. */
export async function lockFile(path: string, mode: LockMode): Promise<OwnedFd> {
  for (;;) {
    const fd = openLockFile(path)
    try {
      if (!flock(fd.fd, mode, false)) await waitForLock(fd.fd, mode)
    } catch (error) {
      fd.close()
      throw error
    }
    if (isStillAt(fd.fd, path)) return fd
    fd.close()
  }
}

/** The lock, or undefined when another holds it in a mode that excludes this one. */
export function tryLockFile(path: string, mode: LockMode): OwnedFd | undefined {
  for (;;) {
    const fd = openLockFile(path)
    if (!flock(fd.fd, mode, false)) {
      fd.close()
      return undefined
    }
    if (isStillAt(fd.fd, path)) return fd
    fd.close()
  }
}

async function waitForLock(fd: number, mode: LockMode): Promise<void> {
  const previous = waiting
  const turn = previous.then(async () => {
    const batch = newBatch()
    batch.run('flock', [fd, mode === 'shared' ? LOCK_SH : LOCK_EX])
    await runBatchAsync(batch)
  })
  waiting = turn.catch(() => {
    // The failure is its own caller's; the next in line only waits for the thread.
  })
  await turn
}

function openLockFile(path: string): OwnedFd {
  return new OwnedFd(
    openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600),
  )
}

// The holder before us may have renamed or removed the file that we waited for.
function isStillAt(fd: number, path: string): boolean {
  try {
    const here = statSync(path, { bigint: true })
    const ours = fstatSync(fd, { bigint: true })
    return here.ino === ours.ino && here.dev === ours.dev
  } catch (error) {
    if (errnoCodeOf(error) === 'ENOENT') return false
    throw error
  }
}
