/** Limits as properties of a systemd unit (systemd.resource-control(5), org.freedesktop.systemd1(5)). */
import type { CgroupWrite } from '../resources-to-files.ts'
import { parseCpuList } from './cpu-list.ts'
import type { DbusValue } from './dbus-values.ts'

export interface UnitProperty {
  readonly name: string
  readonly signature: string
  readonly value: DbusValue
}

/** systemd's `infinity`. */
const INFINITY = 2n ** 64n - 1n
const DEFAULT_PERIOD = 100_000n
/** systemd keeps a CPU quota in hundredths of a CPU: 10 ms of each second. */
const QUOTA_STEP = 10_000n
const SECOND = 1_000_000n

/** Files whose value is a number or `max`. */
const NUMBERS: Readonly<Record<string, string>> = {
  'memory.max': 'MemoryMax',
  'memory.low': 'MemoryLow',
  'memory.high': 'MemoryHigh',
  'memory.min': 'MemoryMin',
  'memory.swap.max': 'MemorySwapMax',
  'pids.max': 'TasksMax',
}

/** Files whose value is a list as `0-2,5`, which systemd wants as a bit mask. */
const LISTS: Readonly<Record<string, string>> = {
  'cpuset.cpus': 'AllowedCPUs',
  'cpuset.mems': 'AllowedMemoryNodes',
}

/**
 * The properties for `writes`. systemd must know of a limit to keep it when it applies its own, and to
 * show it; what has no property stays with the file alone.
 */
export function unitProperties(writes: readonly CgroupWrite[]): readonly UnitProperty[] {
  const isIdle = writes.some(({ file, value }) => file === 'cpu.idle' && value.trim() === '1')
  return [
    // Weight 0 is systemd's word for cpu.idle, since 252.
    ...(isIdle ? [number('CPUWeight', 0n)] : []),
    ...writes.flatMap((write) => propertiesOf(write, isIdle)),
  ]
}

function propertiesOf(write: CgroupWrite, isIdle: boolean): readonly UnitProperty[] {
  const { file, value } = write
  const named = Object.hasOwn(NUMBERS, file) ? NUMBERS[file] : undefined
  if (named !== undefined) return numberOrMax(named, value)
  const list = Object.hasOwn(LISTS, file) ? LISTS[file] : undefined
  if (list !== undefined) return [{ name: list, signature: 'ay', value: parseCpuList(value) }]
  if (file === 'cpu.weight' && !isIdle) return numberOrMax('CPUWeight', value)
  if (file === 'cpu.max') return cpuQuota(value)
  if (file === 'io.weight') return ioWeight(value)
  if (file === 'io.bfq.weight' && write.otherwise !== undefined)
    return ioWeight(write.otherwise.value)
  return []
}

function number(name: string, value: bigint): UnitProperty {
  return { name, signature: 't', value }
}

// What is no number at all, the kernel will refuse in the file: not this table's task to say so.
function numberOrMax(name: string, text: string): readonly UnitProperty[] {
  const word = text.trim()
  if (word === 'max') return [number(name, INFINITY)]
  return /^\d{1,19}$/.test(word) ? [number(name, BigInt(word))] : []
}

function cpuQuota(text: string): readonly UnitProperty[] {
  const { quota, period } = cpuMax(text)
  return [
    number('CPUQuotaPeriodUSec', period),
    number('CPUQuotaPerSecUSec', quota === undefined ? INFINITY : perSecond(quota, period)),
  ]
}

function perSecond(quota: bigint, period: bigint): bigint {
  const exact = (quota * SECOND) / period
  return ((exact + QUOTA_STEP - 1n) / QUOTA_STEP) * QUOTA_STEP
}

function cpuMax(text: string): { readonly quota: bigint | undefined; readonly period: bigint } {
  const [quota = 'max', period = ''] = text.trim().split(/\s+/)
  return {
    quota: /^\d{1,18}$/.test(quota) ? BigInt(quota) : undefined,
    period: /^\d{1,18}$/.test(period) && BigInt(period) > 0n ? BigInt(period) : DEFAULT_PERIOD,
  }
}

/**
 * `cpu.max` as systemd will write it: rounded up to whole hundredths of a CPU, as runc does. The file gets
 * the same value, so that a later word of systemd changes nothing.
 */
export function roundedCpuMax(write: CgroupWrite): CgroupWrite {
  if (write.file !== 'cpu.max') return write
  const { quota, period } = cpuMax(write.value)
  if (quota === undefined) return write
  return { ...write, value: `${(perSecond(quota, period) * period) / SECOND} ${period}` }
}

// `default 100`; the weight of a single device needs a path to its node, so it stays with the file.
function ioWeight(text: string): readonly UnitProperty[] {
  const match = /^(?:default )?(\d{1,5})$/.exec(text.trim())
  return match === null ? [] : [number('IOWeight', BigInt(match[1] ?? '0'))]
}
