/** Which verdict a profile gives to which system call numbers of one architecture. */
import {
  outOfSequence,
  type SyscallArchitecture,
  syscallNumbers,
  X32_SYSCALL_BIT,
} from '../linux/syscall-numbers.ts'
import { SECCOMP_ACTIONS, SECCOMP_RET_ERRNO, withoutData } from './actions.ts'
import type { FilterArchitecture } from './architectures.ts'
import { CallDecisions, type Verdict } from './call-decisions.ts'
import { narrowConditions } from './conditions.ts'
import { multiplexerOf, throughMultiplexer } from './multiplexed-calls.ts'
import type { Profile, ProfileRule } from './read-profile.ts'

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
  const verdicts = decideCalls(profile, architecture)
  const background = backgroundRanges(profile, architecture.name)
  const borders = background.map(({ first }) => first)
  for (const number of verdicts.keys()) borders.push(number, number + 1)
  const ranges: CallRange[] = []
  for (const first of Float64Array.from(borders).sort()) {
    const verdict = verdicts.get(first) ?? verdictAt(background, first)
    if (ranges.at(-1)?.verdict !== verdict) ranges.push({ first, verdict })
  }
  return ranges
}

function decideCalls(
  profile: Profile,
  architecture: FilterArchitecture,
): ReadonlyMap<number, Verdict> {
  const numbers = syscallNumbers(architecture.name)
  const decisions = new CallDecisions(profile.warnings)
  for (const rule of profile.rules) {
    // libseccomp cannot hold a rule that repeats the default, and runc drops it.
    if (rule.action === profile.defaultAction) continue
    for (const conditions of rule.alternatives) {
      const seen = architecture.wideArguments ? conditions : narrowConditions(conditions)
      for (const name of rule.names) {
        const number = numbers.get(name)
        if (number !== undefined) decisions.add(number, name, seen, rule)
        if (architecture.name !== 'x86') continue
        const multiplexer = multiplexerOf(name)
        if (multiplexer === undefined) continue
        const through = numbers.get(multiplexer.name)
        if (through !== undefined)
          decisions.add(through, name, throughMultiplexer(multiplexer, seen), rule)
      }
    }
  }
  return decisions.finish()
}

/**
 * The verdicts where no rule speaks: the default action, but ENOSYS for calls newer than any that
 * the profile names. Its author could not know them, and programs fall back to older calls on
 * ENOSYS only (so runc's libcontainer/seccomp/patchbpf, since clone3 and glibc 2.34).
 */
function backgroundRanges(profile: Profile, name: SyscallArchitecture): readonly CallRange[] {
  const { defaultAction, rules } = profile
  const lowest = name === 'x32' ? X32_SYSCALL_BIT : 0
  const normal: CallRange = { first: lowest, verdict: defaultAction }
  const newest = newestNamed(rules, name)
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
function newestNamed(rules: readonly ProfileRule[], name: SyscallArchitecture): number {
  const numbers = syscallNumbers(name)
  const apart = outOfSequence(name)
  let newest = 0
  for (const rule of rules) {
    for (const call of rule.names) {
      const number = numbers.get(call) ?? 0
      if (number <= newest) continue
      if (apart === undefined || number < apart.first || number > apart.last) newest = number
    }
  }
  return newest
}

function verdictAt(ranges: readonly CallRange[], number: number): Verdict {
  let verdict: Verdict = 0
  for (const range of ranges) if (range.first <= number) verdict = range.verdict
  return verdict
}
