/** Compiles `linux.seccomp` of config.json to the classic BPF program that seccomp(2) takes. */
import { X32_SYSCALL_BIT } from '../linux/syscall-numbers.ts'
import type { Seccomp } from '../oci/runtime-config.ts'
import { SECCOMP_FILTER_FLAG_NEW_LISTENER, SECCOMP_RET_KILL_THREAD } from './actions.ts'
import { AARCH64, type FilterArchitecture, X32, X86_64 } from './architectures.ts'
import { assembleRules } from './argument-tests.ts'
import {
  BPF_JEQ,
  BPF_JGE,
  BPF_MAX_INSTRUCTIONS,
  BpfAssembler,
  type Label,
  OFFSET_ARCHITECTURE,
  OFFSET_NUMBER,
} from './bpf.ts'
import type { Verdict } from './call-decisions.ts'
import { type CallRange, callRanges } from './call-ranges.ts'
import { type Profile, readProfile, refuse } from './read-profile.ts'
import { unknownCalls } from './unknown-calls.ts'

export interface CompiledFilter {
  /** struct sock_filter[], little endian. */
  readonly program: Uint8Array
  readonly instructionCount: number
  /** SECCOMP_FILTER_FLAG_* of seccomp(2). */
  readonly flags: number
  /** seccomp(2) returns a descriptor that must reach `listenerPath` (a rule uses SCMP_ACT_NOTIFY). */
  readonly needsListener: boolean
  /** What in the profile has no effect here, each with its place in config.json. */
  readonly warnings: readonly string[]
}

/** Tracers skip a call by setting its number to -1, which must not look like an x32 call. */
const SKIPPED_CALL = 0xffff_ffff

/**
 * The filter that libseccomp and runc would make of `seccomp` on a host of `architecture`, whose own
 * calls are filtered whether the profile lists it or not. Calls of unlisted ABIs kill the thread.
 */
export function compileFilter(
  seccomp: Seccomp,
  architecture: 'x86_64' | 'aarch64',
): CompiledFilter {
  const profile = readProfile(seccomp)
  const own = architecture === 'x86_64' ? X86_64 : AARCH64
  const sections = sectionsOf([own, ...profile.architectures])
  const assembler = new BpfAssembler()
  const program = assembler.finish(assembleSections(assembler, profile, sections))
  if (assembler.length > BPF_MAX_INSTRUCTIONS) {
    refuse(
      'linux.seccomp.syscalls',
      `the filter takes ${assembler.length} instructions, the kernel allows ${BPF_MAX_INSTRUCTIONS}`,
      'name fewer system calls, with fewer conditions, or fewer architectures',
    )
  }
  return {
    program,
    instructionCount: assembler.length,
    flags: profile.flags,
    needsListener: (profile.flags & SECCOMP_FILTER_FLAG_NEW_LISTENER) !== 0,
    warnings: [...new Set(profile.warnings), ...unknownCallWarnings(seccomp)],
  }
}

// Newer profiles name calls that are not known yet; in a rule that denies it may be a slip of the pen.
function unknownCallWarnings(seccomp: Seccomp): readonly string[] {
  const names = unknownCalls(seccomp)
  const listed = names.map((name) => JSON.stringify(name)).join(', ')
  return names.length === 0 ? [] : [`linux.seccomp.syscalls: no system call is named ${listed}`]
}

/** Architectures by their AUDIT_ARCH_*, the host's first. */
type Sections = ReadonlyMap<number, ReadonlySet<FilterArchitecture>>

function sectionsOf(architectures: readonly FilterArchitecture[]): Sections {
  const sections = new Map<number, Set<FilterArchitecture>>()
  for (const architecture of architectures) {
    const section = sections.get(architecture.audit) ?? new Set()
    sections.set(architecture.audit, section.add(architecture))
  }
  return sections
}

/** The host's section is assembled last: it then stands next to the jump that leads there. */
function assembleSections(assembler: BpfAssembler, profile: Profile, sections: Sections): Label {
  const entries = [...sections].reverse().map(([audit, section]) => {
    const ranges = sectionRanges(profile, section)
    return { audit, entry: assembleSection(assembler, ranges, profile.defaultAction) }
  })
  const dispatch = entries.reduce(
    (next, { audit, entry }) => assembler.jump(BPF_JEQ, audit, entry, next),
    assembler.ret(SECCOMP_RET_KILL_THREAD),
  )
  return assembler.load(OFFSET_ARCHITECTURE, dispatch)
}

/** x86_64 and x32 share an AUDIT_ARCH_*: x32's numbers are those with __X32_SYSCALL_BIT and above. */
function sectionRanges(
  profile: Profile,
  section: ReadonlySet<FilterArchitecture>,
): readonly CallRange[] {
  const [only] = section
  if (only !== undefined && only.audit !== X86_64.audit) return callRanges(profile, only)
  const kill = { first: 0, verdict: SECCOMP_RET_KILL_THREAD }
  const below = section.has(X86_64) ? callRanges(profile, X86_64) : [kill]
  const above = section.has(X32)
    ? callRanges(profile, X32)
    : [
        { ...kill, first: X32_SYSCALL_BIT },
        { first: SKIPPED_CALL, verdict: profile.defaultAction },
      ]
  return [...below, ...above]
}

function assembleSection(
  assembler: BpfAssembler,
  ranges: readonly CallRange[],
  defaultAction: number,
): Label {
  const rules = new Map<Verdict, Label>()
  const leaf = (verdict: Verdict | undefined): Label => {
    if (verdict === undefined || typeof verdict === 'number')
      return assembler.ret(verdict ?? defaultAction)
    const label = rules.get(verdict) ?? assembleRules(assembler, verdict, defaultAction)
    rules.set(verdict, label)
    return label
  }
  return assembler.load(OFFSET_NUMBER, assembleSearch(assembler, ranges, leaf))
}

/** A binary search for the range, of those from `from` to before `to`, that the number in A falls in. */
function assembleSearch(
  assembler: BpfAssembler,
  ranges: readonly CallRange[],
  leaf: (verdict: Verdict | undefined) => Label,
  from = 0,
  to = ranges.length,
): Label {
  const first = ranges[from]
  if (to - from === 1) return leaf(first?.verdict)
  if (to - from === 3) {
    // One number that differs from its surroundings.
    const [only, third] = [ranges[from + 1], ranges[from + 2]]
    if (only !== undefined && first?.verdict === third?.verdict && third?.first === only.first + 1)
      return assembler.jump(BPF_JEQ, only.first, leaf(only.verdict), leaf(first?.verdict))
  }
  const middle = (from + to) >> 1
  const above = assembleSearch(assembler, ranges, leaf, middle, to)
  const below = assembleSearch(assembler, ranges, leaf, from, middle)
  return assembler.jump(BPF_JGE, ranges[middle]?.first ?? 0, above, below)
}
