/** Kernel structures in a plan's data, shown field by field. */
import { CAPABILITY_NAMES } from '../linux/capabilities.ts'
import { SCHEDULER_FLAGS, SCHEDULER_POLICIES } from '../linux/scheduling.ts'
import type { DataRef } from './instruction.ts'
import type { Plan } from './plan.ts'
import {
  CLONE_FLAGS,
  type FlagTable,
  MOUNT_ATTRIBUTES,
  OPEN_FLAGS,
  PROPAGATION_TYPES,
  RESOLVE_FLAGS,
  type StructKind,
} from './syscall-arguments.ts'

const INFINITY = 0xffffffffffffffffn

/** `A|B|0x40` for the bits of `value`; `0` for none. */
export function flagNames(value: number, table: FlagTable): string {
  const names: string[] = []
  let rest = BigInt(value)
  // Composite names first, so that O_TMPFILE is not shown as its parts.
  const byWeight = Object.entries(table)
    .filter(([, bits]) => bits > 0)
    .sort((a, z) => bitCount(z[1]) - bitCount(a[1]))
  for (const [name, bits] of byWeight) {
    if ((rest & BigInt(bits)) !== BigInt(bits)) continue
    names.push(name)
    rest &= ~BigInt(bits)
  }
  if (rest !== 0n || names.length === 0) names.push(rest === 0n ? '0' : `0x${rest.toString(16)}`)
  return names.join('|')
}

function bitCount(bits: number): number {
  return [...BigInt(bits).toString(2)].filter((digit) => digit === '1').length
}

/** The text of the structure at `ref`, or undefined when `kind` is not one. */
export function decodeStruct(
  plan: Plan,
  kind: string,
  ref: DataRef,
  bytes: Buffer,
): string | undefined {
  const decode = DECODERS[kind as StructKind]
  return decode === undefined ? undefined : decode(bytes, plan, ref)
}

const DECODERS: Readonly<Record<StructKind, (bytes: Buffer, plan: Plan, ref: DataRef) => string>> =
  {
    open_how: (bytes) => {
      const mode = word(bytes, 1) === 0n ? '' : `, mode=0${word(bytes, 1).toString(8)}`
      const resolve = flagNames(Number(word(bytes, 2)), RESOLVE_FLAGS)
      return `{flags=${flagNames(Number(word(bytes, 0)), OPEN_FLAGS)}${mode}, resolve=${resolve}}`
    },
    mount_attr: (bytes) => {
      const set = Number(word(bytes, 0))
      const clear = Number(word(bytes, 1))
      const propagation = Number(word(bytes, 2))
      const fields = [
        set === 0 ? '' : `set=${flagNames(set, MOUNT_ATTRIBUTES)}`,
        clear === 0 ? '' : `clr=${flagNames(clear, MOUNT_ATTRIBUTES)}`,
        propagation === 0 ? '' : `propagation=${flagNames(propagation, PROPAGATION_TYPES)}`,
      ]
      return `{${fields.filter((field) => field !== '').join(', ')}}`
    },
    clone_args: (bytes) =>
      `{flags=${flagNames(Number(word(bytes, 0)), CLONE_FLAGS)}, exit_signal=${word(bytes, 4)}}`,
    rlimit: (bytes) => `{${limit(word(bytes, 0))}, ${limit(word(bytes, 1))}}`,
    sock_fprog: (bytes) => `{${word(bytes, 0)} BPF instructions}`,
    capabilities: (bytes) => {
      const set = (i: number): bigint =>
        BigInt(bytes.readUInt32LE(i * 4)) | (BigInt(bytes.readUInt32LE(12 + i * 4)) << 32n)
      return `{effective=${capabilities(set(0))}, permitted=${capabilities(set(1))}, inheritable=${capabilities(set(2))}}`
    },
    // A report to Node, or a word to a helper of the plan's own.
    record: (bytes) =>
      bytes.length < 4
        ? JSON.stringify(bytes.toString().slice(0, -1))
        : `{type=${bytes.readUInt32LE(0)}}`,
    groups: (bytes) => {
      const groups = Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readUInt32LE(i * 4))
      return `[${groups.join(', ')}]`
    },
    message: () => '{SCM_RIGHTS}',
    sched_attr: schedulerAttributes,
    mask,
  }

function schedulerAttributes(bytes: Buffer): string {
  const policy = Object.entries(SCHEDULER_POLICIES).find(
    ([, number]) => number === bytes.readUInt32LE(4),
  )?.[0]
  const flags = Number(word(bytes, 1))
  const numbers: readonly (readonly [string, number | bigint])[] = [
    ['nice', bytes.readInt32LE(16)],
    ['priority', bytes.readUInt32LE(20)],
    ['runtime', word(bytes, 3)],
    ['deadline', word(bytes, 4)],
    ['period', word(bytes, 5)],
  ]
  const fields = [
    `policy=${policy ?? bytes.readUInt32LE(4)}`,
    ...(flags === 0 ? [] : [`flags=${flagNames(flags, SCHEDULER_FLAGS)}`]),
    ...numbers
      .filter(([, value]) => Number(value) !== 0)
      .map(([name, value]) => `${name}=${value}`),
  ]
  return `{${fields.join(', ')}}`
}

/** Bits of CPUs or nodes, highest first. */
function mask(bytes: Buffer): string {
  if (bytes.every((byte) => byte === 0xff)) return 'all'
  return `0x${Buffer.from(bytes)
    .reverse()
    .toString('hex')
    .replace(/^0+(?=.)/, '')}`
}

function word(bytes: Buffer, index: number): bigint {
  return bytes.readBigUInt64LE(index * 8)
}

function limit(value: bigint): string {
  return value === INFINITY ? 'RLIM_INFINITY' : String(value)
}

function capabilities(set: bigint): string {
  const names = CAPABILITY_NAMES.filter((_, bit) => (set & (1n << BigInt(bit))) !== 0n)
  return names.length === 0 ? '0' : names.join('|')
}
