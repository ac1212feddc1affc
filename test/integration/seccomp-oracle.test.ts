/** Holds filters against libseccomp's, verdict by verdict; runc's ENOSYS rule is modelled here. */
import { constants } from 'node:os'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  outOfSequence,
  type SyscallArchitecture,
  syscallNumber,
  X32_SYSCALL_BIT,
} from '../../src/linux/syscall-numbers.ts'
import type { Seccomp } from '../../src/oci/runtime-config.ts'
import { compileFilter } from '../../src/seccomp/compile-filter.ts'
import { defaultSeccompProfile } from '../../src/seccomp/default-profile.ts'
import { loadFilter, seccompData } from '../support/bpf-interpreter.ts'
import { type LibseccompOracle, openLibseccompOracle } from '../support/libseccomp-oracle.ts'
import {
  type ProfileShape,
  type Random,
  randomProfile,
  seededRandom,
} from '../support/random-profiles.ts'
import { possibleVerdicts } from '../support/seccomp-model.ts'

/** AUDIT_ARCH_* of linux/audit.h. */
const ABIS: readonly (readonly [SyscallArchitecture, number])[] = [
  ['x86_64', 0xc000003e],
  ['x32', 0xc000003e],
  ['x86', 0x40000003],
  ['aarch64', 0xc00000b7],
  ['arm', 0x40000028],
]
const ALL_ARCHITECTURES = ['X86_64', 'X86', 'X32', 'AARCH64', 'ARM'].map((a) => `SCMP_ARCH_${a}`)
const MULTIPLEXERS = ['socketcall', 'ipc']
const ERRNO_ENOSYS = 0x50000 + 38
const { EEXIST, ETIMEDOUT } = constants.errno
const PERMISSIVE = ['SCMP_ACT_ALLOW', 'SCMP_ACT_LOG', 'SCMP_ACT_TRACE']

let oracle: LibseccompOracle | undefined
let missing = ''

beforeAll(() => {
  const opened = openLibseccompOracle()
  if (typeof opened === 'string') missing = opened
  else oracle = opened
})

afterAll(() => oracle?.[Symbol.dispose]())

interface Steps {
  verdicts: number
  ours: number
  theirs: number
  /** Profiles that libseccomp does not take (EEXIST: rules contradict each other) or never ends on. */
  refused: number
  /** Verdicts of libseccomp that no rule of the profile gives: see {@link compareFilters}. */
  lost: number
  /** Verdicts where rules with different actions hold, and libseccomp took another of them. */
  reordered: number
}

describe('compileFilter() gives the verdicts of libseccomp', () => {
  it.for([
    ['x86_64', []],
    ['x86_64', ['CAP_SYS_ADMIN']],
    ['x86_64', ['CAP_SYS_CHROOT', 'CAP_SYS_PTRACE', 'CAP_SYS_TIME', 'CAP_SYS_NICE']],
    ['aarch64', []],
    ['aarch64', ['CAP_SYS_ADMIN']],
  ] as const)('for the default profile on %s with %j', ([host, capabilities], { skip }) => {
    if (oracle === undefined) return skip(missing)
    const profile = defaultSeccompProfile({ architecture: host, capabilities })
    const steps = compareAll(oracle, [profile], host)
    expect([steps.refused, steps.lost, steps.reordered]).toEqual([0, 0, 0])
    report(`default profile, ${host} [${capabilities}]`, steps)
  })

  it.for([
    ['x86_64', 1, 160, false],
    ['x86_64', 2, 120, true],
    ['aarch64', 3, 60, false],
    ['aarch64', 4, 60, true],
  ] as const)(
    'on %s, generated profiles (seed %i, %i of them, conflicts: %s)',
    ([host, seed, count, conflicts], { skip }) => {
      if (oracle === undefined) return skip(missing)
      const random = seededRandom(seed)
      const shape: ProfileShape = { architectures: ALL_ARCHITECTURES, conflicts }
      const profiles = Array.from({ length: count }, () => randomProfile(random, shape))
      const steps = compareAll(oracle, profiles, host)
      report(`${count} generated profiles, ${host}, conflicts: ${conflicts}`, steps)
      expect(steps.verdicts).toBeGreaterThan(count * 500)
      expect(steps.lost / steps.verdicts).toBeLessThan(0.01)
      expect(steps.reordered / steps.verdicts).toBeLessThan(conflicts ? 0.001 : 1e-9)
    },
  )
})

function report(what: string, { verdicts, ours, theirs, refused, lost, reordered }: Steps): void {
  const [a, b] = [ours / verdicts, theirs / verdicts]
  console.log(
    `${what}: ${verdicts} verdicts, instructions a verdict ${a.toFixed(1)} (libseccomp ${b.toFixed(1)}, ratio ${(a / b).toFixed(2)}), libseccomp gets ${lost} wrong, ${reordered} by another rule, ${refused} profiles that it refuses`,
  )
}

function compareAll(
  libseccomp: LibseccompOracle,
  profiles: readonly Seccomp[],
  host: 'x86_64' | 'aarch64',
): Steps {
  const steps: Steps = { verdicts: 0, ours: 0, theirs: 0, refused: 0, lost: 0, reordered: 0 }
  // The harness runs on x86_64: for another host that one is taken out and the host put in.
  const listed = (profile: Seccomp): Seccomp =>
    host === 'x86_64'
      ? profile
      : {
          ...profile,
          architectures: ['SCMP_ARCH_AARCH64', ...(profile.architectures ?? [])].filter(
            (name) => name !== 'SCMP_ARCH_X86_64',
          ),
        }
  for (const profile of profiles.map(listed)) {
    const { error, program } = libseccomp.compile(profile, host !== 'x86_64')
    if (error === 0) compareFilters(profile, host, program, steps)
    else steps.refused++
    if (error !== 0) expect([EEXIST, ETIMEDOUT]).toContain(error)
  }
  return steps
}

/**
 * libseccomp 2.5.4 goes wrong where several rules for one call compare one argument by order: it
 * then misses a rule that holds (two of `a1 < 0x1fffffffffffff` and `a1 < 0xffffffff00000000`).
 * A difference is forgiven when libseccomp's verdict is none that the rules, read one by one, can
 * give, and ours is. The same slip makes it skip rules, so that now and then, where rules with
 * different actions overlap, a later one decides.
 */
function compareFilters(
  profile: Seccomp,
  host: 'x86_64' | 'aarch64',
  program: Uint8Array,
  steps: Steps,
): void {
  const ours = loadFilter(compileFilter(profile, host).program)
  const theirs = loadFilter(program)
  const random = seededRandom(steps.verdicts)
  const wrong: unknown[] = []
  for (const [name, architecture] of ABIS) {
    const isNewer = newerCalls(profile, host, name)
    const pools = argumentPools(profile, name)
    for (const number of numbersOf(name)) {
      if (isUnknownToLibseccomp(name, number)) continue
      for (const args of argumentsFor(pools.get(number), random)) {
        const data = seccompData({ number, architecture, args })
        const a = ours(data)
        const b = theirs(data)
        steps.verdicts++
        steps.ours += a.executed
        steps.theirs += b.executed
        const expected = isNewer(number) ? ERRNO_ENOSYS : b.verdict
        if (a.verdict === expected) continue
        const possible = possibleVerdicts(profile, name, number, args)
        if (possible.has(a.verdict) && !possible.has(b.verdict)) steps.lost++
        else if (possible.has(a.verdict) && possible.size > 1) steps.reordered++
        else wrong.push({ name, number, args: args.map(String), ours: a.verdict, expected })
      }
    }
  }
  if (wrong.length > 0)
    expect({ profile: JSON.stringify(profile), wrong: wrong.slice(0, 5) }).toEqual('equal verdicts')
}

function numbersOf(name: SyscallArchitecture): readonly number[] {
  const common = Array.from({ length: 560 }, (_, i) => i)
  const base = name === 'x32' ? X32_SYSCALL_BIT : 0
  const strange =
    name === 'x32'
      ? [0x7fffffff, 0x80000000, 0xbfffffff, 0xffffffff]
      : [0x3fffffff, 0xeffff, 0xf0800]
  const apart = name === 'arm' ? [1, 2, 3, 4, 5, 6, 7].map((i) => 0xf0000 + i) : []
  return [...common.map((i) => base + i), ...strange, ...apart]
}

/** libseccomp 2.5.4 (Debian 12) knows the calls of Linux 5.17 at most: it has no rule for newer ones. */
function isUnknownToLibseccomp(name: SyscallArchitecture, number: number): boolean {
  const plain = name === 'x32' ? number - X32_SYSCALL_BIT : number
  // uretprobe and uprobe of Linux 6.11 fill a gap.
  if ((name === 'x86_64' || name === 'x32') && (plain === 335 || plain === 336)) return true
  return plain >= 451 && plain <= 471
}

/** runc's libcontainer/seccomp/patchbpf: newer than every call that the profile names. */
function newerCalls(
  profile: Seccomp,
  host: 'x86_64' | 'aarch64',
  name: SyscallArchitecture,
): (number: number) => boolean {
  const { defaultAction, architectures = [], syscalls = [] } = profile
  const listed = [host, ...architectures.map((a) => a.replace('SCMP_ARCH_', '').toLowerCase())]
  if (PERMISSIVE.includes(defaultAction) || !listed.includes(name)) return () => false
  const apart = outOfSequence(name)
  const isApart = (n: number): boolean => apart !== undefined && n >= apart.first && n <= apart.last
  const named = syscalls
    .flatMap(({ names }) => names.map((call) => syscallNumber(name, call) ?? 0))
    .filter((n) => !isApart(n))
  const newest = Math.max(0, ...named)
  if (newest <= (name === 'x32' ? X32_SYSCALL_BIT : 0)) return () => false
  return (number) => number > newest && !isApart(number)
}

/** For calls whose arguments matter: values near the edges of the conditions, by argument. */
type Pools = readonly (readonly bigint[])[]

function argumentPools(profile: Seccomp, name: SyscallArchitecture): ReadonlyMap<number, Pools> {
  const pools = new Map<number, bigint[][]>()
  const poolOf = (number: number, index: number): bigint[] => {
    const all = pools.get(number) ?? [[], [], [], [], [], []]
    pools.set(number, all)
    return all[index] ?? []
  }
  for (const { names, args = [] } of profile.syscalls ?? []) {
    for (const call of names) {
      const number = syscallNumber(name, call)
      if (number === undefined) continue
      for (const { index, value, valueTwo = 0 } of args)
        poolOf(number, index).push(...edges(BigInt(value), BigInt(valueTwo)))
    }
  }
  if (name === 'x86') {
    for (const call of MULTIPLEXERS)
      poolOf(syscallNumber(name, call) ?? 0, 0).push(
        ...Array.from({ length: 26 }, (_, i) => BigInt(i)),
      )
  }
  return pools
}

function edges(a: bigint, b: bigint): readonly bigint[] {
  const high = 1n << 32n
  return [a, b, a & b, a | b].flatMap((v) => [
    v,
    v + 1n,
    v - 1n,
    v + high,
    v - high,
    v ^ (1n << 63n),
  ])
}

/** One set of arguments for calls without conditions, many for others. */
function argumentsFor(pools: Pools | undefined, random: Random): readonly (readonly bigint[])[] {
  if (pools === undefined) return [[1n, 2n, 3n, 4n, 5n, 6n]]
  return Array.from({ length: 12 }, () =>
    pools.map((pool) =>
      random.below(8) === 0 || pool.length === 0
        ? BigInt(random.below(2 ** 32))
        : BigInt.asUintN(64, random.pick(pool)),
    ),
  )
}
