/** Checks `linux.seccomp` and turns its words into numbers. */
import { TsrunError } from '../errors.ts'
import type { Seccomp, SeccompArgument, SeccompRule } from '../oci/runtime-config.ts'
import {
  LARGEST_ACTION_DATA,
  returnValue,
  SECCOMP_ACTIONS,
  SECCOMP_FILTER_FLAG_NEW_LISTENER,
  SECCOMP_FLAGS,
} from './actions.ts'
import {
  FILTER_ARCHITECTURES,
  type FilterArchitecture,
  FOREIGN_ARCHITECTURES,
} from './architectures.ts'
import { type Condition, OPERATORS } from './conditions.ts'
import { usesListener } from './uses-listener.ts'

export interface ProfileRule {
  /** Where it stands in config.json. */
  readonly pointer: string
  /** Its place among the rules. */
  readonly index: number
  /** SECCOMP_RET_* with its data. */
  readonly action: number
  /** The rule holds when all conditions of one of these hold; `[[]]` is a rule without conditions. */
  readonly alternatives: readonly (readonly Condition[])[]
}

export interface Profile {
  readonly defaultAction: number
  /** By the name of the system call, in the profile's order. */
  readonly rules: ReadonlyMap<string, readonly ProfileRule[]>
  readonly architectures: readonly FilterArchitecture[]
  readonly flags: number
  readonly warnings: string[]
}

const POINTER = 'linux.seccomp'
const LAST_ARGUMENT = 5
const TWO_TO_32 = 2 ** 32
const TWO_TO_64 = 2 ** 64

/** The profile in numbers; what runc would refuse is refused with its JSON pointer. */
export function readProfile(seccomp: Seccomp): Profile {
  const warnings: string[] = []
  const { defaultAction, defaultErrnoRet, syscalls } = seccomp
  if (defaultAction === 'SCMP_ACT_NOTIFY') {
    // The container would wait for an answer before it could hand the listener over.
    refuse(`${POINTER}.defaultAction`, 'SCMP_ACT_NOTIFY cannot be the default action')
  }
  const action = readAction(defaultAction, defaultErrnoRet, {
    action: `${POINTER}.defaultAction`,
    data: `${POINTER}.defaultErrnoRet`,
  })
  const rules = readRules(syscalls, warnings)
  const architectures = readArchitectures(seccomp, warnings)
  return { defaultAction: action, rules, architectures, flags: readFlags(seccomp), warnings }
}

function readRules(
  syscalls: unknown,
  warnings: string[],
): ReadonlyMap<string, readonly ProfileRule[]> {
  const rules = new Map<string, ProfileRule[]>()
  readList(syscalls, `${POINTER}.syscalls`).forEach((value, index) => {
    const pointer = `${POINTER}.syscalls[${index}]`
    if (typeof value !== 'object' || value === null) refuse(pointer, 'it must be an object')
    const rule = readRule(value as SeccompRule, pointer, index, warnings)
    for (const name of readNames(value as SeccompRule, pointer)) {
      const others = rules.get(name)
      if (others === undefined) rules.set(name, [rule])
      else others.push(rule)
    }
  })
  return rules
}

function readNames({ names, action }: SeccompRule, pointer: string): readonly string[] {
  const list = readList(names, `${pointer}.names`)
  if (list.length === 0) refuse(`${pointer}.names`, 'it must name a system call')
  const wrong = list.findIndex((name) => typeof name !== 'string' || name === '')
  if (wrong !== -1) refuse(`${pointer}.names[${wrong}]`, 'it must be the name of a system call')
  if (action === 'SCMP_ACT_NOTIFY' && list.includes('write')) {
    // The listener's number is reported with write(2), before anybody listens.
    refuse(`${pointer}.action`, 'SCMP_ACT_NOTIFY cannot be used for the write syscall')
  }
  return list as readonly string[]
}

function readRule(
  rule: SeccompRule,
  pointer: string,
  index: number,
  warnings: string[],
): ProfileRule {
  const action = readAction(rule.action, rule.errnoRet, {
    action: `${pointer}.action`,
    data: `${pointer}.errnoRet`,
  })
  const conditions = readList(rule.args, `${pointer}.args`).map((argument, i) =>
    readCondition(argument as SeccompArgument, `${pointer}.args[${i}]`, warnings),
  )
  return { pointer, index, action, alternatives: alternativesOf(conditions) }
}

/** Conditions on one argument twice are alternatives: so runc has always read them. */
function alternativesOf(conditions: readonly Condition[]): readonly (readonly Condition[])[] {
  if (new Set(conditions.map(({ argument }) => argument)).size < conditions.length)
    return conditions.map((condition) => [condition].filter(saysSomething))
  return [conditions.filter(saysSomething).sort((a, b) => a.argument - b.argument)]
}

/** An empty mask makes a comparison that always holds. */
function saysSomething({ maskHigh, maskLow }: Condition): boolean {
  return maskHigh !== 0 || maskLow !== 0
}

function readAction(
  name: unknown,
  data: unknown,
  pointers: { readonly action: string; readonly data: string },
): number {
  const action = lookUp(SECCOMP_ACTIONS, name, pointers.action, 'action')
  if (data === undefined) return returnValue(action)
  const largest = LARGEST_ACTION_DATA[String(name)]
  // config-linux.md: "the runtime MUST print and error and fail".
  if (largest === undefined) refuse(pointers.data, `${name} takes no errno`)
  if (typeof data !== 'number' || !Number.isInteger(data) || data < 0 || data > largest)
    refuse(pointers.data, `it must be an integer from 0 to ${largest}`)
  return returnValue(action, data)
}

function readCondition(argument: SeccompArgument, pointer: string, warnings: string[]): Condition {
  if (typeof argument !== 'object' || argument === null) refuse(pointer, 'it must be an object')
  const { index, op, value, valueTwo } = argument
  if (!Number.isInteger(index) || index < 0 || index > LAST_ARGUMENT)
    refuse(`${pointer}.index`, `it must be an integer from 0 to ${LAST_ARGUMENT}`)
  const comparison = lookUp(OPERATORS, op, `${pointer}.op`, 'operator')
  const first = readUint64(value, `${pointer}.value`, warnings)
  const second = readUint64(valueTwo ?? 0, `${pointer}.valueTwo`, warnings)
  const masked = op === 'SCMP_CMP_MASKED_EQ'
  const mask = masked ? first : { high: 0xffff_ffff, low: 0xffff_ffff }
  const datum = masked ? second : first
  return {
    argument: index,
    comparison,
    maskHigh: mask.high,
    maskLow: mask.low,
    high: (datum.high & mask.high) >>> 0,
    low: (datum.low & mask.low) >>> 0,
  }
}

/** JSON numbers are doubles here: UINT64_MAX arrives as 2^64. */
function readUint64(
  value: unknown,
  pointer: string,
  warnings: string[],
): { readonly high: number; readonly low: number } {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > TWO_TO_64)
    refuse(pointer, 'it must be an integer from 0 to 18446744073709551615')
  if (value === TWO_TO_64) return { high: 0xffff_ffff, low: 0xffff_ffff }
  if (!Number.isSafeInteger(value) && value % TWO_TO_32 !== 0)
    warnings.push(`${pointer}: numbers above 2^53 are rounded, this one to ${BigInt(value)}`)
  return { high: Math.floor(value / TWO_TO_32), low: value % TWO_TO_32 }
}

function readArchitectures(seccomp: Seccomp, warnings: string[]): readonly FilterArchitecture[] {
  const pointer = `${POINTER}.architectures`
  return readList(seccomp.architectures, pointer).flatMap((name, i) => {
    if (typeof name === 'string' && FOREIGN_ARCHITECTURES.has(name)) {
      warnings.push(`${pointer}[${i}]: this machine cannot run ${name}`)
      return []
    }
    return [lookUp(FILTER_ARCHITECTURES, name, `${pointer}[${i}]`, 'architecture')]
  })
}

/** Without a list runc turns the costly mitigation of speculative store bypass off. */
function readFlags(seccomp: Seccomp): number {
  const pointer = `${POINTER}.flags`
  const listens = usesListener(seccomp)
  const listener = listens ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0
  if (seccomp.flags === undefined) return listener | flagOf('SECCOMP_FILTER_FLAG_SPEC_ALLOW')
  return readList(seccomp.flags, pointer).reduce<number>((flags, name, i) => {
    const flag = lookUp(SECCOMP_FLAGS, name, `${pointer}[${i}]`, 'flag')
    if (name === 'SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV' && !listens)
      refuse(`${pointer}[${i}]`, `${name} needs a rule with SCMP_ACT_NOTIFY`)
    return flags | flag
  }, listener)
}

function flagOf(name: string): number {
  return SECCOMP_FLAGS[name] ?? 0
}

function readList(value: unknown, pointer: string): readonly unknown[] {
  if (value === undefined) return []
  if (!Array.isArray(value)) refuse(pointer, 'it must be an array')
  return value
}

function lookUp<Value>(
  table: Readonly<Record<string, Value>>,
  name: unknown,
  pointer: string,
  what: string,
): Value {
  const value = typeof name === 'string' && Object.hasOwn(table, name) ? table[name] : undefined
  if (value !== undefined) return value
  return refuse(
    pointer,
    `unknown ${what} ${JSON.stringify(name)}`,
    `it must be one of ${Object.keys(table).join(', ')}`,
  )
}

export function refuse(pointer: string, problem: string, hint?: string): never {
  throw new TsrunError(
    'invalid-argument',
    `cannot compile seccomp profile: ${pointer}: ${problem}`,
    hint === undefined ? {} : { hint },
  )
}
