/** Says what a profile means, rule by rule and without any filter: the judge when filters disagree. */
import { type SyscallArchitecture, syscallName } from '../../src/linux/syscall-numbers.ts'
import type { Seccomp, SeccompArgument } from '../../src/oci/runtime-config.ts'
import { filterReturn } from './libseccomp-oracle.ts'

/** linux/net.h and linux/ipc.h. */
const MULTIPLEXED: Readonly<Record<string, Readonly<Record<string, bigint>>>> = {
  socketcall: Object.fromEntries(
    'socket bind connect listen accept getsockname getpeername socketpair send recv sendto recvfrom shutdown setsockopt getsockopt sendmsg recvmsg accept4 recvmmsg sendmmsg'
      .split(' ')
      .map((name, i) => [name, BigInt(i + 1)]),
  ),
  ipc: {
    semop: 1n,
    semget: 2n,
    semctl: 3n,
    semtimedop: 4n,
    msgsnd: 11n,
    msgrcv: 12n,
    msgget: 13n,
    msgctl: 14n,
    shmat: 21n,
    shmdt: 22n,
    shmget: 23n,
    shmctl: 24n,
  },
}

/**
 * The return values that rules give this call: the first unconditional one alone, else those of
 * all rules that hold, else the default. More than one: rules overlap, and only their order decides.
 */
export function possibleVerdicts(
  profile: Seccomp,
  architecture: SyscallArchitecture,
  number: number,
  args: readonly bigint[],
): ReadonlySet<number> {
  const defaultAction = filterReturn(profile.defaultAction, profile.defaultErrnoRet)
  const called = syscallName(architecture, number)
  const wide = architecture === 'x86_64' || architecture === 'aarch64'
  const held = new Set<number>()
  for (const { names, action, errnoRet, args: conditions = [] } of profile.syscalls ?? []) {
    const value = filterReturn(action, errnoRet)
    if (value === defaultAction) continue
    const repeats = new Set(conditions.map(({ index }) => index)).size < conditions.length
    const alternatives = repeats ? conditions.map((one) => [one]) : [conditions]
    for (const all of alternatives) {
      const relevant = all.filter((condition) => !isEmptyMask(condition, wide))
      if (called !== undefined && names.includes(called)) {
        if (relevant.length === 0) return firstAlways(profile, called, wide, defaultAction)
        if (relevant.every((condition) => holds(condition, args, wide))) held.add(value)
      }
      const selected = architecture === 'x86' ? MULTIPLEXED[called ?? ''] : undefined
      const others = relevant.filter(({ index }) => index !== 0)
      for (const name of selected === undefined ? [] : names) {
        if (selected?.[name] !== BigInt.asUintN(32, args[0] ?? 0n)) continue
        if (others.every((condition) => holds(condition, args, wide))) held.add(value)
      }
    }
  }
  return held.size === 0 ? new Set([defaultAction]) : held
}

function firstAlways(
  profile: Seccomp,
  called: string,
  wide: boolean,
  defaultAction: number,
): ReadonlySet<number> {
  for (const { names, action, errnoRet, args = [] } of profile.syscalls ?? []) {
    const value = filterReturn(action, errnoRet)
    if (value === defaultAction || !names.includes(called)) continue
    const repeats = new Set(args.map(({ index }) => index)).size < args.length
    const empty = (condition: SeccompArgument): boolean => isEmptyMask(condition, wide)
    if (repeats ? args.some(empty) : args.every(empty)) return new Set([value])
  }
  return new Set()
}

function isEmptyMask({ op, value }: SeccompArgument, wide: boolean): boolean {
  return op === 'SCMP_CMP_MASKED_EQ' && BigInt.asUintN(wide ? 64 : 32, BigInt(value)) === 0n
}

function holds(
  { index, op, value, valueTwo = 0 }: SeccompArgument,
  args: readonly bigint[],
  wide: boolean,
): boolean {
  const cut = (word: bigint): bigint => BigInt.asUintN(wide ? 64 : 32, word)
  const argument = cut(args[index] ?? 0n)
  const [first, second] = [cut(BigInt(value)), cut(BigInt(valueTwo))]
  switch (op) {
    case 'SCMP_CMP_NE':
      return argument !== first
    case 'SCMP_CMP_LT':
      return argument < first
    case 'SCMP_CMP_LE':
      return argument <= first
    case 'SCMP_CMP_EQ':
      return argument === first
    case 'SCMP_CMP_GE':
      return argument >= first
    case 'SCMP_CMP_GT':
      return argument > first
    default:
      return (argument & first) === (second & first)
  }
}
