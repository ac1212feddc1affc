/** Options of `run` and `create` about what the container may use: cgroup limits, rlimits, kernel parameters. */
import type { RunRequest } from '../../../engine/run-request.ts'
import { TsrunError } from '../../../errors.ts'
import { parseSize } from '../../../util/size.ts'
import type { CommandOptions, OptionSpec } from '../command.ts'

export const LIMIT_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  'blkio-weight': {
    type: 'string',
    describe: 'relative share of block I/O',
    value: '10-1000',
  },
  'blkio-weight-device': {
    type: 'list',
    describe: 'the same for one device',
    value: 'path:weight',
  },
  'cgroup-conf': { type: 'list', describe: 'write a file of the cgroup', value: 'file=value' },
  'cgroup-parent': { type: 'string', describe: 'cgroup to make its own in', value: 'cgroup' },
  'cpu-period': { type: 'string', describe: 'length of a period', value: 'microseconds' },
  'cpu-quota': {
    type: 'string',
    describe: 'processor time in each period',
    value: 'microseconds',
  },
  'cpu-shares': {
    alias: 'c',
    type: 'string',
    describe: 'relative share of processor time',
    value: 'number',
  },
  cpus: { type: 'string', describe: 'at most so many processors', value: 'number' },
  'cpuset-cpus': { type: 'string', describe: 'only these processors', value: '0-2,5' },
  'cpuset-mems': { type: 'string', describe: 'only these memory nodes', value: '0,1' },
  'device-cgroup-rule': {
    type: 'list',
    describe: 'allow more devices',
    value: '"c 1:3 rwm"',
  },
  'device-read-bps': { type: 'list', describe: 'bytes a second', value: 'path:bytes' },
  'device-read-iops': { type: 'list', describe: 'reads a second', value: 'path:number' },
  'device-write-bps': { type: 'list', describe: 'bytes a second', value: 'path:bytes' },
  'device-write-iops': { type: 'list', describe: 'writes a second', value: 'path:number' },
  memory: {
    type: 'string',
    alias: 'm',
    describe: 'at most so much memory',
    value: 'bytes, or with b k m g',
  },
  'memory-reservation': { type: 'string', describe: 'memory that is kept for it', value: 'bytes' },
  'memory-swap': {
    type: 'string',
    describe: 'memory and swap together, -1 for any',
    value: 'bytes',
  },
  'oom-score-adj': { type: 'string', describe: 'from -1000 to 1000', value: 'number' },
  'pids-limit': {
    type: 'string',
    describe: 'at most so many processes, -1 for any',
    value: 'number',
  },
  'shm-size': { type: 'string', describe: 'size of /dev/shm', value: 'bytes' },
  sysctl: {
    type: 'list',
    describe: 'set a kernel parameter of the container',
    value: 'name=value',
  },
  ulimit: { type: 'list', describe: 'set a resource limit', value: 'name=soft[:hard]' },
}

export function limitRequest(options: CommandOptions): Partial<RunRequest> {
  return {
    ulimits: options.list('ulimit'),
    sysctls: options.list('sysctl'),
    memory: sizeOf(options, 'memory'),
    memoryReservation: sizeOf(options, 'memory-reservation'),
    memorySwap: options.string('memory-swap') === '-1' ? -1 : sizeOf(options, 'memory-swap'),
    shmSize: sizeOf(options, 'shm-size'),
    blkioWeight: options.integer('blkio-weight'),
    blkioWeightDevice: options.list('blkio-weight-device'),
    cgroupConf: options.list('cgroup-conf'),
    cgroupParent: options.string('cgroup-parent'),
    cpuPeriod: options.integer('cpu-period'),
    cpuQuota: options.integer('cpu-quota', -1),
    deviceCgroupRules: options.list('device-cgroup-rule'),
    deviceReadBps: options.list('device-read-bps'),
    deviceReadIops: options.list('device-read-iops'),
    deviceWriteBps: options.list('device-write-bps'),
    deviceWriteIops: options.list('device-write-iops'),
    cpuShares: options.integer('cpu-shares'),
    cpusetCpus: options.string('cpuset-cpus'),
    cpusetMems: options.string('cpuset-mems'),
    oomScoreAdj: options.integer('oom-score-adj', -1000),
    cpus: cpusOf(options.string('cpus')),
    pidsLimit: options.integer('pids-limit', -1),
  }
}

function sizeOf(options: CommandOptions, name: string): number | undefined {
  const text = options.string(name)
  if (text === undefined) return undefined
  const bytes = parseSize(text)
  if (bytes !== undefined) return bytes
  throw new TsrunError(
    'invalid-argument',
    `cannot use --${name} "${text}": it must be a size such as 512m`,
  )
}

function cpusOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const cpus = /^\d+(\.\d{1,9})?$|^\.\d{1,9}$/.test(text) ? Number(text) : 0
  if (cpus > 0) return cpus
  throw new TsrunError(
    'invalid-argument',
    `cannot use --cpus "${text}": it must be a number above 0 such as 1.5`,
  )
}
