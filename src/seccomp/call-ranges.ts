/** Which verdict a profile gives to which system call numbers of one architecture. */
import {
  outOfSequence,
  type SyscallArchitecture,
  syscallTable,
  X32_SYSCALL_BIT,
} from '../linux/syscall-numbers.ts'
import { SECCOMP_ACTIONS, SECCOMP_RET_ERRNO, withoutData } from './actions.ts'
import type { FilterArchitecture } from './architectures.ts'
import { type AppliedRule, decideCall, type Verdict } from './call-decisions.ts'
import { narrowConditions } from './conditions.ts'
import { multiplexedCalls, throughMultiplexer } from './multiplexed-calls.ts'
import type { Profile, ProfileRule } from './read-profile.ts'
import { levelKey } from './rule-tree.ts'

/** From `first` on, until the next range, every number gets `verdict`. */
export interface CallRange {
  readonly first: number
  readonly verdict: Verdict
}

const ENOSYS = 38

/** Actions that let a call through, with or without an onlooker: no ENOSYS for new calls then. */
const PERMISSIVE: ReadonlySet<number | undefined> = new Set([
  SECCOMP_ACTIONS.SCMP_ACT_ALLOW,
  SECCOMP_ACTIONS.SCMP_ACT_LOG,
  SECCOMP_ACTIONS.SCMP_ACT_TRACE,
])

/** The verdicts for all numbers of `architecture`, in order, the first range at its lowest number. */
export function callRanges(
  profile: Profile,
  architecture: FilterArchitecture,
): readonly CallRange[] {
  const { names, numbers } = syscallTable(architecture.name)
  const ranges = new RangeList(backgroundRanges(profile, architecture.name))
  const shared = new Map<string, Verdict>()
  for (let i = 0; i < names.length; i++) {
    const verdict = verdictFor(profile, architecture, names[i] ?? '')
    if (verdict !== undefined) ranges.add(numbers[i] ?? 0, shareEqual(shared, verdict))
  }
  return ranges.finish()
}

function verdictFor(
  profile: Profile,
  architecture: FilterArchitecture,
  name: string,
): Verdict | undefined {
  const { defaultAction, warnings } = profile
  const rules = profile.rules.get(name)
  if (rules === undefined && architecture.name !== 'x86') return undefined
  const sole = soleAction(rules)
  if (sole !== undefined && sole !== defaultAction) return sole
  return decideCall(name, rulesFor(profile, architecture, name), defaultAction, warnings)
}

/** The action of a call with one rule and no conditions: nearly all of a profile, so worth the haste. */
function soleAction(rules: readonly ProfileRule[] | undefined): number | undefined {
  const rule = rules?.[0]
  if (rule === undefined || rules?.length !== 1) return undefined
  return rule.alternatives.length === 1 && rule.alternatives[0]?.length === 0
    ? rule.action
    : undefined
}

function rulesFor(
  profile: Profile,
  architecture: FilterArchitecture,
  name: string,
): readonly AppliedRule[] {
  const rules = applyRules(profile, architecture, name)
  if (architecture.name !== 'x86') return rules
  const calls = multiplexedCalls(name)
  if (calls.length === 0) return rules
  const through = calls.flatMap(({ name: call, number }) =>
    applyRules(profile, architecture, call).map(({ rule, conditions }) => ({
      rule,
      conditions: throughMultiplexer(number, conditions),
    })),
  )
  return [...rules, ...through].sort((a, b) => a.rule.index - b.rule.index)
}

function applyRules(
  profile: Profile,
  { wideArguments }: FilterArchitecture,
  name: string,
): readonly AppliedRule[] {
  const rules = profile.rules.get(name) ?? []
  return rules.flatMap((rule) =>
    rule.alternatives.map((conditions) => ({
      rule,
      conditions: wideArguments ? conditions : narrowConditions(conditions),
    })),
  )
}

/** Equal sets of rules become one value, whose code is shared and whose numbers can be one range. */
function shareEqual(shared: Map<string, Verdict>, verdict: Verdict): Verdict {
  if (typeof verdict === 'number') return verdict
  const key = levelKey(verdict)
  const first = shared.get(key)
  if (first !== undefined) return first
  shared.set(key, verdict)
  return verdict
}

/**
 * The verdicts where no rule speaks: the default action, but ENOSYS for calls newer than any that
 * the profile names. Its author could not know them, and programs fall back to older calls on
 * ENOSYS only (so runc's libcontainer/seccomp/patchbpf, since clone3 and glibc 2.34).
 */
function backgroundRanges(profile: Profile, name: SyscallArchitecture): readonly CallRange[] {
  const { defaultAction } = profile
  const lowest = name === 'x32' ? X32_SYSCALL_BIT : 0
  const normal: CallRange = { first: lowest, verdict: defaultAction }
  const newest = newestNamed(profile, name)
  if (newest <= lowest || PERMISSIVE.has(withoutData(defaultAction))) return [normal]
  const enosys = SECCOMP_RET_ERRNO + ENOSYS
  const added = { first: newest + 1, verdict: enosys }
  const apart = outOfSequence(name)
  if (apart === undefined) return [normal, added]
  return [
    normal,
    added,
    { first: apart.first, verdict: defaultAction },
    { first: apart.last + 1, verdict: enosys },
  ]
}

/** The highest number that any rule names, of those that were handed out in order. */
function newestNamed({ rules }: Profile, architecture: SyscallArchitecture): number {
  const { names, numbers } = syscallTable(architecture)
  const limit = outOfSequence(architecture)?.first ?? Infinity
  for (let i = names.length - 1; i >= 0; i--) {
    const number = numbers[i] ?? 0
    if (number < limit && rules.has(names[i] ?? '')) return number
  }
  return 0
}

/** Lays single numbers, in ascending order, over background ranges. */
class RangeList {
  readonly #background: readonly CallRange[]
  readonly #ranges: CallRange[] = []
  #next = 0
  /** All numbers below have their range. */
  #end: number

  constructor(background: readonly CallRange[]) {
    this.#background = background
    this.#end = background[0]?.first ?? 0
  }

  add(number: number, verdict: Verdict): void {
    this.#fill(number)
    this.#push(number, verdict)
    this.#end = number + 1
  }

  finish(): readonly CallRange[] {
    this.#fill(Infinity)
    return this.#ranges
  }

  #fill(until: number): void {
    while (this.#end < until) {
      while (this.#borderAfter(this.#next) <= this.#end) this.#next++
      this.#push(this.#end, this.#background[this.#next]?.verdict ?? 0)
      this.#end = Math.min(until, this.#borderAfter(this.#next))
    }
  }

  #borderAfter(index: number): number {
    return this.#background[index + 1]?.first ?? Infinity
  }

  #push(first: number, verdict: Verdict): void {
    const last = this.#ranges[this.#ranges.length - 1]
    if (last === undefined || last.verdict !== verdict) this.#ranges.push({ first, verdict })
  }
}
