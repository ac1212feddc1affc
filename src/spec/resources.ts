/** Limits of a container as `linux.resources`. */
import type { DeviceRule, Resources } from '../oci/runtime-config.ts'
import { buildBlockIo } from './block-io.ts'
import { parseDeviceRule } from './device-rules.ts'
import { refuseOption } from './invalid-option.ts'
import { parseCgroupConf } from './key-values.ts'
import type { DeviceStat, SpecOptions } from './spec-input.ts'

/** docker refuses less: a container could not even start. */
const MIN_MEMORY = 6 * 1024 * 1024
/** Microseconds; cpu.max's default period (cgroup-v2.rst). */
const CPU_PERIOD = 100_000

/** Resources for the options; only what was asked for, so that a host without a controller still runs the rest. */
export function buildResources(
  options: SpecOptions,
  devices: readonly DeviceRule[],
  stats: readonly DeviceStat[] = [],
): Resources {
  const blockIO = buildBlockIo(options, stats)
  const unified = parseCgroupConf(options.cgroupConf ?? [])
  const memory = memoryOf(options)
  const cpu = cpuOf(options)
  const pids = options.pidsLimit
  return {
    devices: [...devices, ...(options.deviceCgroupRules ?? []).map(parseDeviceRule)],
    ...(memory === undefined ? {} : { memory }),
    ...(cpu === undefined ? {} : { cpu }),
    ...(blockIO === undefined ? {} : { blockIO }),
    ...(Object.keys(unified).length === 0 ? {} : { unified }),
    ...(pids === undefined || pids <= 0 ? {} : { pids: { limit: checkWhole('pids-limit', pids) } }),
  }
}

function memoryOf(options: SpecOptions): Resources['memory'] {
  const { memory: limit, memorySwap: swap, memoryReservation: reservation } = options
  if (limit === undefined && swap === undefined && reservation === undefined) return undefined
  if (limit !== undefined && limit < MIN_MEMORY) {
    refuseOption('memory', String(limit), 'it must be at least 6m')
  }
  if (swap !== undefined && swap !== -1 && limit === undefined) {
    refuseOption('memory-swap', String(swap), 'it needs --memory')
  }
  if (swap !== undefined && swap !== -1 && limit !== undefined && swap < limit) {
    refuseOption('memory-swap', String(swap), 'it includes the memory and must not be below it')
  }
  if (reservation !== undefined && limit !== undefined && reservation > limit) {
    refuseOption('memory-reservation', String(reservation), 'it must not be above --memory')
  }
  return {
    ...(limit === undefined ? {} : { limit: checkWhole('memory', limit) }),
    // docker's default: as much swap again as memory.
    ...(limit === undefined && swap === undefined ? {} : { swap: swap ?? (limit ?? 0) * 2 }),
    ...(reservation === undefined
      ? {}
      : { reservation: checkWhole('memory-reservation', reservation) }),
  }
}

function cpuOf(options: SpecOptions): Resources['cpu'] {
  const { cpus, cpuShares, cpusetCpus, cpusetMems } = options
  if (cpus !== undefined && !(cpus >= 0.01 && cpus <= 8192)) {
    refuseOption('cpus', String(cpus), 'it must be from 0.01 to 8192')
  }
  const bandwidth = bandwidthOf(options)
  checkCpuList('cpuset-cpus', cpusetCpus)
  checkCpuList('cpuset-mems', cpusetMems)
  const cpu = {
    ...bandwidth,
    ...(cpuShares === undefined || cpuShares === 0
      ? {}
      : { shares: checkWhole('cpu-shares', cpuShares) }),
    ...(cpusetCpus === undefined ? {} : { cpus: cpusetCpus }),
    ...(cpusetMems === undefined ? {} : { mems: cpusetMems }),
  }
  return Object.keys(cpu).length === 0 ? undefined : cpu
}

function bandwidthOf({ cpus, cpuQuota: quota, cpuPeriod: period }: SpecOptions): Resources['cpu'] {
  if (cpus !== undefined) {
    if (quota !== undefined) refuseOption('cpu-quota', String(quota), 'it conflicts with --cpus')
    if (period !== undefined) refuseOption('cpu-period', String(period), 'it conflicts with --cpus')
    return { quota: Math.round(cpus * CPU_PERIOD), period: CPU_PERIOD }
  }
  // The kernel's bounds (cgroup-v2.rst "cpu.max"), which docker checks too; its 0 is "not given".
  if (period !== undefined && period !== 0 && !(period >= 1000 && period <= 1_000_000))
    refuseOption('cpu-period', String(period), 'it must be from 1000 to 1000000 microseconds')
  if (quota !== undefined && quota > 0 && quota < 1000)
    refuseOption('cpu-quota', String(quota), 'it must be at least 1000 microseconds')
  return {
    ...(quota === undefined || quota === 0 ? {} : { quota }),
    ...(period === undefined || period === 0 ? {} : { period }),
  }
}

/** The list format of cpuset(7): `0-3,7`. */
function checkCpuList(option: string, text: string | undefined): void {
  if (text === undefined || /^\d+(?:-\d+)?(?:,\d+(?:-\d+)?)*$/.test(text)) return
  refuseOption(option, text, 'it must be a list such as 0-3,7')
}

function checkWhole(option: string, value: number): number {
  if (Number.isSafeInteger(value) && value >= 0) return value
  return refuseOption(option, String(value), 'it must be a whole number')
}
