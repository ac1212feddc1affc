/** i386 calls that also go through socketcall(2) and ipc(2), as glibc before 2.26 called them. */
import type { Condition } from './conditions.ts'

export interface Multiplexer {
  readonly name: 'socketcall' | 'ipc'
  /** First argument of the multiplexer for this call. */
  readonly call: number
}

/** SYS_* of linux/net.h, from 1. */
const SOCKET_CALLS = (
  'socket bind connect listen accept getsockname getpeername socketpair send recv sendto ' +
  'recvfrom shutdown setsockopt getsockopt sendmsg recvmsg accept4 recvmmsg sendmmsg'
).split(' ')

/** linux/ipc.h. */
const IPC_CALLS: Readonly<Record<string, number>> = {
  semop: 1,
  semget: 2,
  semctl: 3,
  semtimedop: 4,
  msgsnd: 11,
  msgrcv: 12,
  msgget: 13,
  msgctl: 14,
  shmat: 21,
  shmdt: 22,
  shmget: 23,
  shmctl: 24,
}

/** How an i386 program reaches call `name` through a multiplexer, undefined when it cannot. */
export function multiplexerOf(name: string): Multiplexer | undefined {
  const socket = SOCKET_CALLS.indexOf(name)
  if (socket !== -1) return { name: 'socketcall', call: socket + 1 }
  const ipc = Object.hasOwn(IPC_CALLS, name) ? IPC_CALLS[name] : undefined
  return ipc === undefined ? undefined : { name: 'ipc', call: ipc }
}

/**
 * The conditions for the same call through its multiplexer. The call's own arguments lie in
 * memory, which a filter cannot see; those after the first are kept as libseccomp keeps them.
 */
export function throughMultiplexer(
  { call }: Multiplexer,
  conditions: readonly Condition[],
): readonly Condition[] {
  const selector: Condition = {
    argument: 0,
    comparison: 'eq',
    maskHigh: 0,
    maskLow: 0xffff_ffff,
    high: 0,
    low: call,
  }
  return [selector, ...conditions.filter(({ argument }) => argument !== 0)]
}
