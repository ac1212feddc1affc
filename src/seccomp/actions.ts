/** The words of `linux.seccomp` for actions and flags, and their values in linux/seccomp.h. */

/** SECCOMP_RET_* without their 16 bits of data. */
export const SECCOMP_ACTIONS: Readonly<Record<string, number>> = {
  SCMP_ACT_KILL: 0,
  SCMP_ACT_KILL_PROCESS: 0x8000_0000,
  SCMP_ACT_KILL_THREAD: 0,
  SCMP_ACT_TRAP: 0x0003_0000,
  SCMP_ACT_ERRNO: 0x0005_0000,
  SCMP_ACT_TRACE: 0x7ff0_0000,
  SCMP_ACT_ALLOW: 0x7fff_0000,
  SCMP_ACT_LOG: 0x7ffc_0000,
  SCMP_ACT_NOTIFY: 0x7fc0_0000,
}

export const SECCOMP_RET_KILL_THREAD = 0
export const SECCOMP_RET_ERRNO = 0x0005_0000

/** SECCOMP_FILTER_FLAG_* of seccomp(2). */
export const SECCOMP_FLAGS: Readonly<Record<string, number>> = {
  // Puts the filter on every thread of the process; the executor has one, so nothing is to be
  // set, and runc says 0 too.
  SECCOMP_FILTER_FLAG_TSYNC: 0,
  SECCOMP_FILTER_FLAG_LOG: 2,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW: 4,
  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV: 32,
}

/** Asks seccomp(2) for the descriptor that SCMP_ACT_NOTIFY reports to. */
export const SECCOMP_FILTER_FLAG_NEW_LISTENER = 8

/** Which actions carry data, and the largest the kernel keeps (MAX_ERRNO; SECCOMP_RET_DATA). */
export const LARGEST_ACTION_DATA: Readonly<Record<string, number>> = {
  SCMP_ACT_ERRNO: 4095,
  SCMP_ACT_TRACE: 0xffff,
}

const EPERM = 1

/** The filter's return value; `data` is the errno or the tracer's message, EPERM when absent. */
export function returnValue(action: number, data: number = EPERM): number {
  const carries = action === SECCOMP_RET_ERRNO || action === SECCOMP_ACTIONS.SCMP_ACT_TRACE
  return carries ? action + data : action
}

/** The action of a return value (SECCOMP_RET_ACTION_FULL). */
export function withoutData(value: number): number {
  return (value & 0xffff_0000) >>> 0
}
