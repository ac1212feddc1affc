/** Makes seccomp profiles by the hundred, the same ones every time. */

import { type SyscallArchitecture, syscallTable } from '../../src/linux/syscall-numbers.ts'
import type { Seccomp, SeccompArgument, SeccompRule } from '../../src/oci/runtime-config.ts'

export interface ProfileShape {
  /** Architectures to choose from; each profile lists some. */
  readonly architectures: readonly string[]
  /** Rules for one call may have different actions and overlap; only with 32-bit values then. */
  readonly conflicts: boolean
}

export interface Random {
  /** An integer from 0 to below `limit`. */
  below(limit: number): number
  pick<Value>(values: readonly Value[]): Value
}

const TABLES: readonly SyscallArchitecture[] = ['x86_64', 'x86', 'aarch64', 'arm']
const ACTIONS = [
  'SCMP_ACT_KILL',
  'SCMP_ACT_KILL_PROCESS',
  'SCMP_ACT_TRAP',
  'SCMP_ACT_ERRNO',
  'SCMP_ACT_TRACE',
  'SCMP_ACT_ALLOW',
  'SCMP_ACT_LOG',
]
const OPERATORS = [
  'SCMP_CMP_NE',
  'SCMP_CMP_LT',
  'SCMP_CMP_LE',
  'SCMP_CMP_EQ',
  'SCMP_CMP_GE',
  'SCMP_CMP_GT',
  'SCMP_CMP_MASKED_EQ',
]
const NARROW_VALUES = [0, 1, 2, 5, 7, 8, 38, 40, 0xff, 0x2_0000, 0x7e02_0000, 0xffff_ffff]
const WIDE_VALUES = [
  ...NARROW_VALUES,
  2 ** 32,
  2 ** 32 + 1,
  3 * 2 ** 32 + 7,
  2 ** 52 + 5,
  2 ** 53 - 1,
  2 ** 63,
  0xffff_ffff * 2 ** 32,
]

/** mulberry32. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  const below = (limit: number): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * limit)
  }
  return {
    below,
    pick: (values) => {
      const value = values[below(values.length)]
      if (value === undefined) throw new Error('nothing to pick from')
      return value
    },
  }
}

export function randomProfile(random: Random, shape: ProfileShape): Seccomp {
  const defaultAction = random.pick(ACTIONS)
  const favourites = Array.from({ length: 12 }, () => randomName(random, shape))
  const calls = new Map<string, string>()
  const actionOf = (name: string): string => {
    const known = calls.get(name) ?? random.pick(ACTIONS)
    calls.set(name, known)
    return known
  }
  const syscalls = Array.from({ length: 3 + random.below(60) }, () => {
    const favourite = random.below(3) === 0
    const names = favourite
      ? [random.pick(favourites)]
      : Array.from({ length: 1 + random.below(8) }, () => randomName(random, shape))
    const rule = randomRule(random, shape, names, favourite)
    // Without conflicts, all rules for a call agree on the action.
    return shape.conflicts
      ? [rule]
      : names.map((name) => ({ ...rule, names: [name], ...plain(actionOf(name)) }))
  }).flat()
  return {
    defaultAction,
    ...(random.below(3) === 0 && defaultAction === 'SCMP_ACT_ERRNO' ? { defaultErrnoRet: 38 } : {}),
    architectures: shape.architectures.filter(() => random.below(3) > 0),
    syscalls,
  }
}

function plain(action: string): Pick<SeccompRule, 'action'> {
  return { action }
}

/** With conflicts only calls of Linux 5.17 and before: libseccomp 2.5.4 sees no conflict in others. */
function randomName(random: Random, { conflicts }: ProfileShape): string {
  if (random.below(40) === 0) return 'no_such_call'
  const { names, numbers } = syscallTable(random.pick(TABLES))
  for (;;) {
    const i = random.below(names.length)
    if (!conflicts || (numbers[i] ?? 0) <= 450) return names[i] ?? ''
  }
}

function randomRule(
  random: Random,
  shape: ProfileShape,
  names: readonly string[],
  conditional: boolean,
): SeccompRule {
  const action = random.pick(ACTIONS)
  const data = shape.conflicts && action === 'SCMP_ACT_ERRNO' ? { errnoRet: random.below(4) } : {}
  if (!conditional && random.below(4) > 0) return { names, action, ...data }
  const args = Array.from({ length: 1 + random.below(3) }, () => randomArgument(random, shape))
  return { names, action, ...data, args }
}

function randomArgument(random: Random, shape: ProfileShape): SeccompArgument {
  const values = shape.conflicts ? NARROW_VALUES : WIDE_VALUES
  const op = random.pick(OPERATORS)
  const valueTwo = op === 'SCMP_CMP_MASKED_EQ' ? { valueTwo: random.pick(values) } : {}
  return {
    index: random.below(random.below(2) === 0 ? 2 : 6),
    op,
    value: random.pick(values),
    ...valueTwo,
  }
}
