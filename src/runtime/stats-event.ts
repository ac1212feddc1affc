/** The usage of a container as runc's `events` prints it: runc's field names, order and omissions. */
import { type CgroupStats, type DeviceIo, NO_LIMIT, type PressureStats } from '../cgroup/stats.ts'

const NO_PRESSURE = { avg10: 0, avg60: 0, avg300: 0, total: 0n }

/** The event's document; 64-bit counters are bigints. */
export function statsEvent(id: string, stats: CgroupStats): object {
  return {
    type: 'stats',
    id,
    data: {
      cpu: cpu(stats.cpu),
      cpuset: V1_CPUSET,
      memory: memory(stats.memory),
      pids: nonZero({
        current: stats.pids.current,
        limit: stats.pids.limit === NO_LIMIT ? 0n : stats.pids.limit,
      }),
      blkio: blkio(stats.io),
      hugetlb: Object.fromEntries(
        Object.entries(stats.hugetlb)
          .sort()
          .map(([size, { current, failures }]) => [
            size,
            { ...nonZero({ usage: current }), failcnt: failures },
          ]),
      ),
      intel_rdt: {},
      network_interfaces: null,
    },
  }
}

// cgroup v1 alone has these; runc prints them as zeros with v2.
const V1_CPUSET = {
  cpu_exclusive: 0,
  mem_hardwall: 0,
  mem_exclusive: 0,
  memory_migrate: 0,
  memory_spread_page: 0,
  memory_spread_slab: 0,
  memory_pressure: 0,
  sched_load_balance: 0,
  sched_relax_domain_level: 0,
}

function cpu({ stat, pressure }: CgroupStats['cpu']): object {
  // cpu.stat counts microseconds, runc nanoseconds.
  const nanoseconds = (key: string): bigint => (stat[key] ?? 0n) * 1000n
  return {
    usage: {
      ...nonZero({ total: nanoseconds('usage_usec') }),
      kernel: nanoseconds('system_usec'),
      user: nanoseconds('user_usec'),
    },
    throttling: nonZero({
      periods: stat.nr_periods ?? 0n,
      throttledPeriods: stat.nr_throttled ?? 0n,
      throttledTime: nanoseconds('throttled_usec'),
    }),
    ...psi(pressure),
  }
}

function memory({ usage, swap, stat, pressure }: CgroupStats['memory']): object {
  // runc counts swap as v1 did: memory and swap together.
  const limit =
    swap === undefined || swap.limit === NO_LIMIT ? swap?.limit : sumOf(swap.limit, usage?.limit)
  return {
    ...nonZero({ cache: stat.file ?? 0n }),
    usage: memoryEntry(usage?.limit, usage?.current, usage?.peak),
    swap:
      usage === undefined
        ? memoryEntry()
        : memoryEntry(limit ?? usage.limit, usage.current + (swap?.current ?? 0n)),
    kernel: memoryEntry(),
    kernelTCP: memoryEntry(),
    ...(Object.keys(stat).length === 0
      ? {}
      : { raw: Object.fromEntries(Object.entries(stat).sort()) }),
    ...psi(pressure),
  }
}

// Go's uint64 wraps, and so it is with runc: a swap limit below unlimited memory is that limit less one.
function sumOf(a: bigint, b: bigint | undefined): bigint {
  return BigInt.asUintN(64, a + (b ?? 0n))
}

function memoryEntry(limit = 0n, usage = 0n, max = 0n): object {
  return { limit, ...nonZero({ usage, max }), failcnt: 0n }
}

const BLKIO_TABLES = [
  ['ioServiceBytesRecursive', { rbytes: 'Read', wbytes: 'Write' }],
  ['ioServicedRecursive', { rios: 'Read', wios: 'Write' }],
] as const

function blkio({ devices, pressure }: CgroupStats['io']): object {
  const tables = BLKIO_TABLES.flatMap(([name, operations]) => {
    const entries = devices.flatMap((device) =>
      Object.entries(operations).flatMap(([key, op]) => blkioEntry(device, key, op)),
    )
    return entries.length === 0 ? [] : [[name, entries] as const]
  })
  return { ...Object.fromEntries(tables), ...psi(pressure) }
}

function blkioEntry(device: DeviceIo, key: string, op: string): readonly object[] {
  const value = device.counters[key]
  if (value === undefined) return []
  const { major, minor } = device
  return [{ ...nonZero({ major, minor }), op, ...nonZero({ value }) }]
}

function psi(pressure: PressureStats | undefined): object {
  if (pressure === undefined) return {}
  const { some = NO_PRESSURE, full = NO_PRESSURE } = pressure
  return { psi: { some, full } }
}

/** Without the members that are 0, which Go's `omitempty` leaves out. */
function nonZero(members: Readonly<Record<string, bigint>>): object {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== 0n))
}
