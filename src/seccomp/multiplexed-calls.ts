/** i386 calls that also go through socketcall(2) and ipc(2), as glibc before 2.26 called them. */
import type { Condition } from './conditions.ts'

export interface MultiplexedCall {
  readonly name: string
  /** First argument of the multiplexer for this call. */
  readonly number: number
}

/** SYS_* of linux/net.h, from 1. */
const SOCKET_CALLS: readonly MultiplexedCall[] = (
  'socket bind connect listen accept getsockname getpeername socketpair send recv sendto ' +
  'recvfrom shutdown setsockopt getsockopt sendmsg recvmsg accept4 recvmmsg sendmmsg'
)
  .split(' ')
  .map((name, i) => ({ name, number: i + 1 }))

/** linux/ipc.h. */
const IPC_CALLS: readonly MultiplexedCall[] = [
  { name: 'semop', number: 1 },
  { name: 'semget', number: 2 },
  { name: 'semctl', number: 3 },
  { name: 'semtimedop', number: 4 },
  { name: 'msgsnd', number: 11 },
  { name: 'msgrcv', number: 12 },
  { name: 'msgget', number: 13 },
  { name: 'msgctl', number: 14 },
  { name: 'shmat', number: 21 },
  { name: 'shmdt', number: 22 },
  { name: 'shmget', number: 23 },
  { name: 'shmctl', number: 24 },
]

/** The calls that an i386 program can make through call `name`. */
export function multiplexedCalls(name: string): readonly MultiplexedCall[] {
  if (name === 'socketcall') return SOCKET_CALLS
  return name === 'ipc' ? IPC_CALLS : []
}

/**
 * The conditions for the multiplexer's call `number`. The call's own arguments lie in memory, which
 * a filter cannot see; those after the first are kept as libseccomp keeps them.
 */
export function throughMultiplexer(
  number: number,
  conditions: readonly Condition[],
): readonly Condition[] {
  const selector: Condition = {
    argument: 0,
    comparison: 'eq',
    maskHigh: 0,
    maskLow: 0xffff_ffff,
    high: 0,
    low: number,
  }
  return [selector, ...conditions.filter(({ argument }) => argument !== 0)]
}
