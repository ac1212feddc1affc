/**
 * linux.resources.devices as an eBPF program for BPF_CGROUP_DEVICE (cgroup-v2.rst "Device controller",
 * config-linux.md "Allowed Device list"): pure, from rules to instructions.
 */
import { TsrunError } from '../errors.ts'
import type { DeviceRule } from '../oci/runtime-config.ts'

// linux/bpf.h: BPF_DEVCG_DEV_*, BPF_DEVCG_ACC_*
const TYPES: Readonly<Record<string, number>> = { b: 1, c: 2 }
const ALL_ACCESS = 7
const ACCESS: Readonly<Record<string, number>> = { m: 1, r: 2, w: 4, a: ALL_ACCESS }

// linux/bpf.h and bpf_common.h
const LDX_MEM_W = 0x61
const ALU64_AND_K = 0x57
const ALU64_RSH_K = 0x77
const ALU64_MOV_K = 0xb7
const ALU64_MOV_X = 0xbf
const JMP_JNE_K = 0x55
const JMP_JSET_K = 0x45
const JMP_JA = 0x05
const JMP_EXIT = 0x95

const RESULT = 0
const CONTEXT = 1
/** Access bits that no rule has decided yet. */
const PENDING = 2
const TYPE = 3
const MAJOR = 4
const MINOR = 5

/** What every container may use, whatever its rules say (config-linux.md "Default Devices", as runc). */
export const ALWAYS_ALLOWED: readonly DeviceRule[] = [
  { allow: true, type: 'c', access: 'm' },
  { allow: true, type: 'b', access: 'm' },
  { allow: true, type: 'c', major: 1, minor: 3, access: 'rwm' },
  { allow: true, type: 'c', major: 1, minor: 5, access: 'rwm' },
  { allow: true, type: 'c', major: 1, minor: 7, access: 'rwm' },
  { allow: true, type: 'c', major: 1, minor: 8, access: 'rwm' },
  { allow: true, type: 'c', major: 1, minor: 9, access: 'rwm' },
  { allow: true, type: 'c', major: 5, minor: 0, access: 'rwm' },
  { allow: true, type: 'c', major: 5, minor: 2, access: 'rwm' },
  { allow: true, type: 'c', major: 136, access: 'rwm' },
]

interface BpfInstruction {
  readonly code: number
  readonly destination?: number
  readonly source?: number
  readonly offset?: number
  readonly immediate?: number
}

/**
 * The program: struct bpf_insn[], little endian. Later rules win over earlier ones, so they are
 * tested last to first; what no rule allows is denied.
 */
export function compileDeviceFilter(rules: readonly DeviceRule[]): Uint8Array {
  const program: BpfInstruction[] = [
    { code: LDX_MEM_W, destination: PENDING, source: CONTEXT, offset: 0 },
    { code: ALU64_MOV_X, destination: TYPE, source: PENDING },
    { code: ALU64_AND_K, destination: TYPE, immediate: 0xffff },
    { code: ALU64_RSH_K, destination: PENDING, immediate: 16 },
    { code: LDX_MEM_W, destination: MAJOR, source: CONTEXT, offset: 4 },
    { code: LDX_MEM_W, destination: MINOR, source: CONTEXT, offset: 8 },
    ...reachable([...rules, ...ALWAYS_ALLOWED].reverse()).flatMap(compileRule),
  ]
  return encode(program)
}

// The verifier refuses instructions that nothing leads to: a rule for every access to every device
// is the last one that is looked at, and the rule behind all others is to deny.
function reachable(rules: readonly DeviceRule[]): readonly DeviceRule[] {
  const last = rules.findIndex(
    (rule) => isEveryDevice(rule) && accessBits(rule.access) === ALL_ACCESS,
  )
  return last < 0 ? [...rules, { allow: false, type: 'a' }] : rules.slice(0, last + 1)
}

/** Type `a`, or none. */
export function isEveryDevice(rule: DeviceRule): boolean {
  return rule.type === undefined || rule.type === '' || rule.type === 'a'
}

function compileRule(rule: DeviceRule): readonly BpfInstruction[] {
  const access = accessBits(rule.access)
  const type =
    rule.type === undefined || rule.type === '' || rule.type === 'a'
      ? undefined
      : typeBits(rule.type)
  // Type `a` means every device: major and minor are not looked at (config-linux.md).
  const tests = [
    ...(type === undefined ? [] : [[TYPE, type] as const]),
    ...(type === undefined || isAny(rule.major) ? [] : [[MAJOR, rule.major] as const]),
    ...(type === undefined || isAny(rule.minor) ? [] : [[MINOR, rule.minor] as const]),
  ]
  const decision = rule.allow ? allow(access) : deny(access)
  return [
    ...tests.map(([register, value], i) => ({
      code: JMP_JNE_K,
      destination: register,
      offset: tests.length - 1 - i + decision.length,
      immediate: value,
    })),
    ...decision,
  ]
}

function isAny(number: number | undefined): number is undefined {
  return number === undefined || number < 0
}

// An access may ask for several bits: it is allowed when rules allow all of them.
function allow(access: number): readonly BpfInstruction[] {
  if (access === ALL_ACCESS) return verdict(1)
  return [
    { code: ALU64_AND_K, destination: PENDING, immediate: ~access },
    { code: JMP_JNE_K, destination: PENDING, offset: 2, immediate: 0 },
    ...verdict(1),
  ]
}

function deny(access: number): readonly BpfInstruction[] {
  if (access === ALL_ACCESS) return verdict(0)
  return [
    { code: JMP_JSET_K, destination: PENDING, offset: 1, immediate: access },
    { code: JMP_JA, offset: 2 },
    ...verdict(0),
  ]
}

function verdict(value: 0 | 1): readonly BpfInstruction[] {
  return [{ code: ALU64_MOV_K, destination: RESULT, immediate: value }, { code: JMP_EXIT }]
}

function typeBits(type: string): number {
  const bits = Object.hasOwn(TYPES, type) ? TYPES[type] : undefined
  if (bits !== undefined) return bits
  throw new TsrunError(
    'invalid-argument',
    `cannot make a device rule of type ${JSON.stringify(type)}: it must be a, b or c`,
  )
}

function accessBits(access: string | undefined): number {
  if (access === undefined || access === '') return ALL_ACCESS
  return [...access].reduce((bits, letter) => {
    const bit = Object.hasOwn(ACCESS, letter) ? ACCESS[letter] : undefined
    if (bit !== undefined) return bits | bit
    throw new TsrunError(
      'invalid-argument',
      `cannot make a device rule with access ${JSON.stringify(access)}: it must be of r, w and m`,
    )
  }, 0)
}

function encode(program: readonly BpfInstruction[]): Uint8Array {
  const bytes = Buffer.alloc(program.length * 8)
  program.forEach(({ code, destination = 0, source = 0, offset = 0, immediate = 0 }, i) => {
    bytes.writeUInt8(code, i * 8)
    bytes.writeUInt8(destination | (source << 4), i * 8 + 1)
    bytes.writeInt16LE(offset, i * 8 + 2)
    bytes.writeInt32LE(immediate, i * 8 + 4)
  })
  return bytes
}
