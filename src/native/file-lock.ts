/** flock(2) on a file by path, released when disposed or when the process dies. */
import { constants, fstatSync, openSync, statSync } from 'node:fs'
import { errnoCodeOf, SyscallError, TsrunError } from '../errors.ts'
import { errnoName } from '../linux/errno.ts'
import type { Plan } from '../plan/plan.ts'
import { startPlan } from './executor.ts'
import { receiveEvent } from './executor-protocol.ts'
import { OwnedFd } from './owned-fd.ts'
import { newBatch } from './run-batch.ts'
import { flock, pidfdSendSignal, reap } from './syscalls.ts'

export type LockMode = 'shared' | 'exclusive'

const LOCK_SH = 1 // sys/file.h
const LOCK_EX = 2
const PR_SET_PDEATHSIG = 1 // linux/prctl.h
const SIGKILL = 9

/**
 * Waits for the lock on the file at `path`, which is created empty when it is not there; `signal` ends the wait with
 * its reason.
 */
export async function lockFile(
  path: string,
  mode: LockMode,
  signal?: AbortSignal,
): Promise<OwnedFd> {
  for (;;) {
    const fd = openLockFile(path)
    try {
      await takeLock(fd.fd, mode, signal)
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

/** Waits for flock(2) on the open file behind `fd`; `signal` ends the wait with its reason. */
export async function takeLock(fd: number, mode: LockMode, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted()
  if (flock(fd, mode, false)) return
  // A child waits, on the same open file, which owns the lock (flock(2)): a thread of libuv's pool
  // for each of us would take the pool from those who hold locks, and all would wait for ever.
  using session = startPlan(lockPlan(mode), { stdio: [-1, -1, -1], descriptors: [fd] })
  const { pidfd } = session.launcher
  const giveUp = () => pidfdSendSignal(pidfd.fd, SIGKILL)
  signal?.addEventListener('abort', giveUp, { once: true })
  const event = await receiveEvent(session.report.fd).finally(() =>
    signal?.removeEventListener('abort', giveUp),
  )
  const exit = reap(pidfd.fd, true)
  signal?.throwIfAborted()
  if (event.type === 'failed') throw new SyscallError('flock', event.errno, errnoName(event.errno))
  if (exit?.exitCode !== 0)
    throw new TsrunError('unavailable', 'cannot lock a file: the process that waited was killed')
}

function lockPlan(mode: LockMode): Plan {
  const plan = newBatch()
  plan.descriptor('report')
  const file = plan.descriptor('file')
  // Without us nobody needs the lock.
  plan.run('prctl', [PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0])
  plan.run('flock', [file, mode === 'shared' ? LOCK_SH : LOCK_EX])
  return plan.finish()
}

function openLockFile(path: string): OwnedFd {
  return new OwnedFd(
    openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600),
  )
}

/** Whether `fd` is still what `path` names: a lock's holder may have renamed or removed what we waited for. */
export function isStillAt(fd: number, path: string): boolean {
  try {
    const here = statSync(path, { bigint: true })
    const ours = fstatSync(fd, { bigint: true })
    return here.ino === ours.ino && here.dev === ours.dev
  } catch (error) {
    if (errnoCodeOf(error) === 'ENOENT') return false
    throw error
  }
}
