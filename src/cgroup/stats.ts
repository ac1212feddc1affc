/** What a cgroup uses, from the files of cgroup v2 (kernel Documentation/admin-guide/cgroup-v2.rst). */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { errnoCodeOf, TsrunError } from '../errors.ts'

/** The kernel's `max`, as cgroup tools number it. */
export const NO_LIMIT = 2n ** 64n - 1n

/** Pressure stall information: shares of time in percent, the total in microseconds. */
export interface Pressure {
  readonly avg10: number
  readonly avg60: number
  readonly avg300: number
  readonly total: bigint
}

export interface PressureStats {
  readonly some?: Pressure
  readonly full?: Pressure
}

/** Bytes. */
export interface MemoryUsage {
  readonly current: bigint
  /** {@link NO_LIMIT} without one. */
  readonly limit: bigint
  /** Since kernel 5.19, of swap 6.5. */
  readonly peak?: bigint
}

/** A line of io.stat: counters by name (`rbytes`, `wios`, …). */
export interface DeviceIo {
  readonly major: bigint
  readonly minor: bigint
  readonly counters: Readonly<Record<string, bigint>>
}

/** A controller that the cgroup has not got is absent. */
export interface CgroupStats {
  readonly cpu: {
    /** cpu.stat; times in microseconds. */
    readonly stat: Readonly<Record<string, bigint>>
    readonly pressure?: PressureStats
  }
  readonly memory: {
    readonly usage?: MemoryUsage
    readonly swap?: MemoryUsage
    readonly stat: Readonly<Record<string, bigint>>
    /** memory.events, such as `oom_kill`. */
    readonly events: Readonly<Record<string, bigint>>
    readonly pressure?: PressureStats
  }
  /** `current` is counted in cgroup.procs where there is no pids controller. */
  readonly pids: { readonly current: bigint; readonly limit: bigint }
  readonly io: { readonly devices: readonly DeviceIo[]; readonly pressure?: PressureStats }
  /** By page size as the kernel writes it (`2MB`). */
  readonly hugetlb: Readonly<
    Record<string, { readonly current: bigint; readonly failures: bigint }>
  >
}

/** The text of a cgroup file by its name, undefined when there is no such file. */
export type ReadCgroupFile = (name: string) => string | undefined

/** The usage of the cgroup at `path`. Throws `not-found` when there is none. */
export function readCgroupStats(path: string): CgroupStats {
  try {
    return parseCgroupStats(readdirSync(path), (name) => readOptional(join(path, name)))
  } catch (cause) {
    if (errnoCodeOf(cause) !== 'ENOENT') throw cause
    throw new TsrunError('not-found', `cannot read the usage of the cgroup ${path}: it is gone`, {
      cause,
      hint: 'the container has been deleted, or its cgroup was removed by somebody else',
    })
  }
}

/** As {@link readCgroupStats}, from the names of the files and their texts. */
export function parseCgroupStats(names: readonly string[], read: ReadCgroupFile): CgroupStats {
  const usage = memoryUsage('memory', read)
  const swap = memoryUsage('memory.swap', read)
  return {
    cpu: { stat: flatKeyed(read('cpu.stat')), ...pressure(read('cpu.pressure')) },
    memory: {
      ...(usage === undefined ? {} : { usage }),
      ...(swap === undefined ? {} : { swap }),
      stat: flatKeyed(read('memory.stat')),
      events: flatKeyed(read('memory.events')),
      ...pressure(read('memory.pressure')),
    },
    pids: {
      current: number(read('pids.current')) ?? countLines(read('cgroup.procs')),
      limit: number(read('pids.max')) ?? NO_LIMIT,
    },
    io: { devices: devices(read('io.stat')), ...pressure(read('io.pressure')) },
    hugetlb: hugetlb(names, read),
  }
}

function memoryUsage(prefix: string, read: ReadCgroupFile): MemoryUsage | undefined {
  const current = number(read(`${prefix}.current`))
  if (current === undefined) return undefined
  const peak = number(read(`${prefix}.peak`))
  return {
    current,
    limit: number(read(`${prefix}.max`)) ?? NO_LIMIT,
    ...(peak === undefined ? {} : { peak }),
  }
}

// Reserved pages are what a mapping may count on, so they are the usage where the kernel tells (5.7).
function hugetlb(names: readonly string[], read: ReadCgroupFile): CgroupStats['hugetlb'] {
  const sizes = names.flatMap((name) => /^hugetlb\.(\w+)\.current$/.exec(name)?.[1] ?? [])
  return Object.fromEntries(
    sizes.map((size) => {
      const prefix = `hugetlb.${size}`
      const current = number(read(`${prefix}.rsvd.current`)) ?? number(read(`${prefix}.current`))
      const failures = flatKeyed(read(`${prefix}.events`)).max
      return [size, { current: current ?? 0n, failures: failures ?? 0n }]
    }),
  )
}

// `8:0 rbytes=1 wbytes=2 …`; a device that has done nothing may have no counters.
function devices(text: string | undefined): readonly DeviceIo[] {
  return lines(text).flatMap((line) => {
    const [device = '', ...pairs] = line.split(' ')
    const match = /^(\d+):(\d+)$/.exec(device)
    if (match === null) return []
    const counters = pairs.flatMap((pair) => {
      const [key = '', value] = pair.split('=')
      const count = number(value)
      return count === undefined ? [] : [[key, count] as const]
    })
    const [, major = '0', minor = '0'] = match
    return [{ major: BigInt(major), minor: BigInt(minor), counters: Object.fromEntries(counters) }]
  })
}

function flatKeyed(text: string | undefined): Readonly<Record<string, bigint>> {
  const entries = lines(text).flatMap((line) => {
    const [key = '', value] = line.split(' ')
    const count = number(value)
    return count === undefined ? [] : [[key, count] as const]
  })
  return Object.fromEntries(entries)
}

function pressure(text: string | undefined): { readonly pressure?: PressureStats } {
  if (text === undefined) return {}
  const entries = lines(text).flatMap((line) => {
    const match = /^(some|full) avg10=([\d.]+) avg60=([\d.]+) avg300=([\d.]+) total=(\d+)$/.exec(
      line,
    )
    if (match === null) return []
    const [, kind = '', avg10, avg60, avg300, total = '0'] = match
    const values = { avg10: Number(avg10), avg60: Number(avg60), avg300: Number(avg300) }
    return [[kind, { ...values, total: BigInt(total) }] as const]
  })
  return { pressure: Object.fromEntries(entries) }
}

function number(text: string | undefined): bigint | undefined {
  const digits = text?.trim()
  if (digits === 'max') return NO_LIMIT
  return digits !== undefined && /^\d{1,20}$/.test(digits) ? BigInt(digits) : undefined
}

function countLines(text: string | undefined): bigint {
  return BigInt(lines(text).length)
}

function lines(text: string | undefined): readonly string[] {
  return (text ?? '').split('\n').filter((line) => line !== '')
}

function readOptional(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const code = errnoCodeOf(error)
    // EOPNOTSUPP: pressure that the kernel was booted without, and cgroup.procs of a threaded cgroup.
    if (code === 'ENOENT' || code === 'EOPNOTSUPP' || code === 'ENODEV') return undefined
    throw error
  }
}
