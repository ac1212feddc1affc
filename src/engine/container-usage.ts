/** What running containers use, from their cgroups: what `stats` shows. */
import { readFileSync } from 'node:fs'
import { type CgroupStats, NO_LIMIT, readCgroupStats } from '../cgroup/stats.ts'
import { TsrunError } from '../errors.ts'
import { readContainerRecord } from '../state/state-directory.ts'
import type { Engine } from './engine.ts'

export interface ContainerUsage {
  /** Milliseconds of a clock that does not jump. */
  readonly at: number
  /** Microseconds of CPU time since the container began. */
  readonly cpuUsec: bigint
  /** Bytes without the page cache that the kernel could give up at once, as docker counts. */
  readonly memory: bigint
  /** Bytes; the host's memory where there is no limit. */
  readonly memoryLimit: bigint
  readonly memoryPeak: bigint | undefined
  readonly blockRead: bigint
  readonly blockWritten: bigint
  readonly processes: bigint
  /** Share of the last ten seconds in which some process waited, in percent, where the kernel tells (PSI). */
  readonly pressure: { readonly cpu?: number; readonly memory?: number; readonly io?: number }
}

/** The usage of a running container now. Throws `failed-precondition` when it has no cgroup of its own. */
export function containerUsage(engine: Engine, id: string): ContainerUsage {
  const cgroup = readContainerRecord(engine.stateRoot, id)?.cgroup
  if (cgroup === undefined) {
    throw new TsrunError(
      'failed-precondition',
      `cannot read the usage of container "${id}": it has no cgroup of its own`,
      { hint: 'usage is counted on hosts with cgroup v2 alone' },
    )
  }
  return usageOf(readCgroupStats(cgroup), performance.now(), hostMemory())
}

/** As {@link containerUsage}, from numbers. */
export function usageOf(stats: CgroupStats, at: number, host: bigint): ContainerUsage {
  const { cpu, memory, io, pids } = stats
  const limit = memory.usage?.limit ?? NO_LIMIT
  const current = memory.usage?.current ?? 0n
  const inactive = memory.stat.inactive_file ?? 0n
  const sum = (counter: string): bigint =>
    io.devices.reduce((total, { counters }) => total + (counters[counter] ?? 0n), 0n)
  return {
    at,
    cpuUsec: cpu.stat.usage_usec ?? 0n,
    memory: inactive < current ? current - inactive : current,
    memoryLimit: limit < host ? limit : host,
    memoryPeak: memory.usage?.peak,
    blockRead: sum('rbytes'),
    blockWritten: sum('wbytes'),
    processes: pids.current,
    pressure: {
      ...share('cpu', cpu.pressure?.some?.avg10),
      ...share('memory', memory.pressure?.some?.avg10),
      ...share('io', io.pressure?.some?.avg10),
    },
  }
}

/** How many CPUs' worth of time, in percent of one, the container took between two looks. */
export function cpuPercent(before: ContainerUsage, after: ContainerUsage): number {
  const elapsed = after.at - before.at
  const used = Number(after.cpuUsec - before.cpuUsec) / 1000
  return elapsed <= 0 || used <= 0 ? 0 : (used / elapsed) * 100
}

function share(name: string, value: number | undefined): Readonly<Record<string, number>> {
  return value === undefined ? {} : { [name]: value }
}

function hostMemory(): bigint {
  const match = /^MemTotal:\s+(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'latin1'))
  return match === null ? NO_LIMIT : BigInt(match[1] ?? 0) * 1024n
}
