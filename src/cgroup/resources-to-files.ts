/** linux.resources as writes to cgroup v2 files (config-linux.md "Control groups", kernel cgroup-v2.rst). */
import { TsrunError } from '../errors.ts'
import type { Resources } from '../oci/runtime-config.ts'

export interface CgroupWrite {
  /** The controller that must be enabled, or undefined for core files. */
  readonly controller: string | undefined
  readonly file: string
  readonly value: string
  /** Written instead where the kernel does not have {@link file}. */
  readonly otherwise?: { readonly file: string; readonly value: string }
  /** Left out where the kernel does not have the file: it is so without it. */
  readonly optional?: true
  /** JSON pointer below /linux/resources. */
  readonly pointer: string
}

/** Every write that `resources` asks for, in an order in which the kernel accepts them. */
export function resourcesToFiles(resources: Resources): readonly CgroupWrite[] {
  return [
    ...memoryWrites(resources.memory ?? {}),
    ...cpuWrites(resources.cpu ?? {}),
    ...pidsWrites(resources.pids ?? {}),
    ...blockIoWrites(resources.blockIO ?? {}),
    ...hugepageWrites(resources.hugepageLimits ?? []),
    ...rdmaWrites(resources.rdma ?? {}),
    ...unifiedWrites(resources.unified ?? {}),
  ]
}

/** What v2 has no file for, by name: refused, not ignored. */
export function unsupportedResources(resources: Resources): readonly string[] {
  const memory = resources.memory ?? {}
  const cpu = resources.cpu ?? {}
  return [
    ...(isSet(resources.blockIO?.leafWeight) ? ['blockIO.leafWeight'] : []),
    ...(isSet(memory.kernel) ? ['memory.kernel'] : []),
    ...(isSet(memory.kernelTCP) ? ['memory.kernelTCP'] : []),
    ...(isSet(memory.swappiness) ? ['memory.swappiness'] : []),
    ...(memory.disableOOMKiller === true ? ['memory.disableOOMKiller'] : []),
    ...(isSet(cpu.realtimeRuntime) ? ['cpu.realtimeRuntime'] : []),
    ...(isSet(cpu.realtimePeriod) ? ['cpu.realtimePeriod'] : []),
    ...(isSet(resources.network?.classID) ? ['network.classID'] : []),
    ...((resources.network?.priorities ?? []).length > 0 ? ['network.priorities'] : []),
  ]
}

/**
 * cpu.shares (2..262144) to cpu.weight (1..10000), by the formula that runc and crun took in 2025:
 * 10^((log2(shares)^2 + 125·log2(shares)) / 612 − 7/34), which maps 1024 to 100.
 */
export function sharesToWeight(shares: number): number {
  if (shares === 0) return 0
  if (shares <= 2) return 1
  if (shares >= 262144) return 10000
  const log = Math.log2(shares)
  return Math.ceil(10 ** ((log * log + 125 * log) / 612 - 7 / 34))
}

function isSet(value: number | undefined): value is number {
  return value !== undefined && value !== 0
}

function limit(value: number): string {
  return value < 0 ? 'max' : String(value)
}

type Memory = NonNullable<Resources['memory']>

function memoryWrites(memory: Memory): readonly CgroupWrite[] {
  const write = (file: string, value: string, key: string): CgroupWrite => ({
    controller: 'memory',
    file,
    value,
    pointer: `/memory/${key}`,
  })
  const writes: CgroupWrite[] = []
  const swap = swapMax(memory)
  if (swap !== undefined) {
    // A kernel that counts no swap limits none, and one without swap uses none.
    const isAnyway = swap === 'max' || swap === '0'
    writes.push({
      ...write('memory.swap.max', swap, 'swap'),
      ...(isAnyway ? { optional: true as const } : {}),
    })
  }
  if (isSet(memory.limit)) writes.push(write('memory.max', limit(memory.limit), 'limit'))
  if (isSet(memory.reservation))
    writes.push(write('memory.low', limit(memory.reservation), 'reservation'))
  return writes
}

// The spec's swap is memory plus swap; v2 counts swap alone.
function swapMax(memory: Memory): string | undefined {
  const { swap, limit: bytes } = memory
  // Unlimited memory alone means unlimited swap too, as it did with cgroup v1.
  if (!isSet(swap)) return bytes !== undefined && bytes < 0 ? 'max' : undefined
  if (swap < 0) return 'max'
  // Nothing to subtract from: what is left of the sum is the swap.
  if (bytes === -1) return String(swap)
  if (!isSet(bytes) || bytes < 0) {
    throw new TsrunError('invalid-argument', 'unable to set swap limit without memory limit', {
      hint: 'set linux.resources.memory.limit with memory.swap',
    })
  }
  if (swap < bytes) {
    throw new TsrunError(
      'invalid-argument',
      `memory+swap limit ${swap} should be >= memory limit ${bytes}`,
      { hint: 'linux.resources.memory.swap is the sum of memory and swap' },
    )
  }
  return String(swap - bytes)
}

function cpuWrites(cpu: NonNullable<Resources['cpu']>): readonly CgroupWrite[] {
  const writes: CgroupWrite[] = []
  const add = (controller: string, file: string, value: string, key: string): void => {
    writes.push({ controller, file, value, pointer: `/cpu/${key}` })
  }
  const idle = (): void => add('cpu', 'cpu.idle', String(cpu.idle), 'idle')
  // An idle cgroup has no weight: it is given before, or after the end of the idleness.
  if (cpu.idle !== undefined && cpu.idle !== 1) idle()
  if (isSet(cpu.shares)) add('cpu', 'cpu.weight', String(sharesToWeight(cpu.shares)), 'shares')
  if (cpu.idle === 1) idle()
  if (isSet(cpu.quota) || isSet(cpu.period)) {
    const quota = isSet(cpu.quota) && cpu.quota > 0 ? String(cpu.quota) : 'max'
    add('cpu', 'cpu.max', isSet(cpu.period) ? `${quota} ${cpu.period}` : quota, 'quota')
  }
  if (cpu.burst !== undefined) add('cpu', 'cpu.max.burst', String(cpu.burst), 'burst')
  if (cpu.cpus !== undefined && cpu.cpus !== '') add('cpuset', 'cpuset.cpus', cpu.cpus, 'cpus')
  if (cpu.mems !== undefined && cpu.mems !== '') add('cpuset', 'cpuset.mems', cpu.mems, 'mems')
  return writes
}

// runtime-spec 1.3: 0 is a limit, of no processes. No init could start with 0: it is 1 then, which keeps
// init alone, as with runc and systemd's TasksMax.
function pidsWrites(pids: NonNullable<Resources['pids']>): readonly CgroupWrite[] {
  if (pids.limit === undefined) return []
  return [
    {
      controller: 'pids',
      file: 'pids.max',
      value: limit(pids.limit === 0 ? 1 : pids.limit),
      pointer: '/pids/limit',
    },
  ]
}

function blockIoWrites(blockIo: NonNullable<Resources['blockIO']>): readonly CgroupWrite[] {
  const writes: CgroupWrite[] = []
  const add = (file: string, value: string, key: string): void => {
    writes.push({ controller: 'io', file, value, pointer: `/blockIO/${key}` })
  }
  // BFQ takes the spec's range directly; without it iocost's io.weight, 1..10000, stands in (as runc).
  const addWeight = (device: string, weight: number, key: string): void => {
    const file = 'io.bfq.weight'
    const otherwise = { file: 'io.weight', value: `${device} ${toIoWeight(weight)}` }
    const value = `${device} ${weight}`
    writes.push({ controller: 'io', file, value, otherwise, pointer: `/blockIO/${key}` })
  }
  if (isSet(blockIo.weight)) addWeight('default', blockIo.weight, 'weight')
  for (const { major, minor, weight } of blockIo.weightDevice ?? []) {
    if (isSet(weight)) addWeight(`${major}:${minor}`, weight, 'weightDevice')
  }
  for (const [key, name] of [
    ['throttleReadBpsDevice', 'rbps'],
    ['throttleWriteBpsDevice', 'wbps'],
    ['throttleReadIOPSDevice', 'riops'],
    ['throttleWriteIOPSDevice', 'wiops'],
  ] as const) {
    for (const { major, minor, rate } of blockIo[key] ?? [])
      add('io.max', `${major}:${minor} ${name}=${rate}`, key)
  }
  return writes
}

/** blkio.weight (10..1000) to io.weight (1..10000), linear as runc's. */
function toIoWeight(weight: number): number {
  return Math.floor(1 + ((weight - 10) * 9999) / 990)
}

function hugepageWrites(limits: NonNullable<Resources['hugepageLimits']>): readonly CgroupWrite[] {
  return limits.flatMap(({ pageSize, limit: bytes }, i) => {
    const limited = {
      controller: 'hugetlb',
      value: String(bytes),
      pointer: `/hugepageLimits/${i}`,
    }
    // Reservations are what a mapping that cannot be served fails by, instead of a SIGBUS (kernel 5.7).
    return [
      { ...limited, file: `hugetlb.${pageSize}.max` },
      { ...limited, file: `hugetlb.${pageSize}.rsvd.max`, optional: true as const },
    ]
  })
}

function rdmaWrites(rdma: NonNullable<Resources['rdma']>): readonly CgroupWrite[] {
  return Object.entries(rdma).map(([device, { hcaHandles, hcaObjects }]) => ({
    controller: 'rdma',
    file: 'rdma.max',
    value: `${device} hca_handle=${hcaHandles ?? 'max'} hca_object=${hcaObjects ?? 'max'}`,
    pointer: `/rdma/${device}`,
  }))
}

function unifiedWrites(unified: Readonly<Record<string, string>>): readonly CgroupWrite[] {
  for (const file of Object.keys(unified)) {
    if (/^[a-z0-9_]+(\.[A-Za-z0-9_-]+)+$/.test(file)) continue
    throw new TsrunError(
      'invalid-argument',
      `invalid linux.resources.unified key ${JSON.stringify(file)}`,
      { hint: 'a key is the name of a cgroup v2 file, such as memory.high' },
    )
  }
  return Object.entries(unified).map(([file, value]) => ({
    controller: file.startsWith('cgroup.') ? undefined : file.split('.')[0],
    file,
    value,
    pointer: `/unified/${file}`,
  }))
}
