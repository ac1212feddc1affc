/** Limits that runc, crun and tsrun must turn into the same cgroup files. */
import type { Resources } from '../../../src/oci/runtime-config.ts'

const MIB = 1024 * 1024
/** The guest's root disk, and another block device. */
const DISK = { major: 98, minor: 0 }
const OTHER = { major: 43, minor: 0 }

export interface LimitCase {
  readonly create: Resources
  /** What `update --resources` is given afterwards. */
  readonly update?: Resources
}

/** By name. */
export const LIMIT_CASES: Readonly<Record<string, LimitCase>> = {
  nothing: { create: {} },

  'memory limit': { create: { memory: { limit: 64 * MIB } } },
  'memory limit that is no whole page': { create: { memory: { limit: 64 * MIB + 1 } } },
  'memory without limit': { create: { memory: { limit: -1 } } },
  'memory limit 0': { create: { memory: { limit: 0 } } },
  'memory reservation': { create: { memory: { reservation: 32 * MIB } } },
  'memory limit and reservation': {
    create: { memory: { limit: 64 * MIB, reservation: 32 * MIB } },
  },
  'memory and swap': { create: { memory: { limit: 64 * MIB, swap: 96 * MIB } } },
  'as much swap as memory, so none': { create: { memory: { limit: 64 * MIB, swap: 64 * MIB } } },
  'memory with unlimited swap': { create: { memory: { limit: 64 * MIB, swap: -1 } } },
  'memory and swap unlimited': { create: { memory: { limit: -1, swap: -1 } } },
  'swap below memory': { create: { memory: { limit: 64 * MIB, swap: 32 * MIB } } },
  'swap without memory': { create: { memory: { swap: 64 * MIB } } },
  'swap with unlimited memory': { create: { memory: { limit: -1, swap: 64 * MIB } } },
  'unlimited swap alone': { create: { memory: { swap: -1 } } },
  'memory limit checked before an update': {
    create: { memory: { limit: 64 * MIB, checkBeforeUpdate: true } },
  },

  'cpu shares 2': { create: { cpu: { shares: 2 } } },
  'cpu shares 10': { create: { cpu: { shares: 10 } } },
  'cpu shares 100': { create: { cpu: { shares: 100 } } },
  'cpu shares 512': { create: { cpu: { shares: 512 } } },
  'cpu shares 1024': { create: { cpu: { shares: 1024 } } },
  'cpu shares 1025': { create: { cpu: { shares: 1025 } } },
  'cpu shares 4096': { create: { cpu: { shares: 4096 } } },
  'cpu shares 100000': { create: { cpu: { shares: 100_000 } } },
  'cpu shares 262144': { create: { cpu: { shares: 262_144 } } },
  'cpu quota': { create: { cpu: { quota: 50_000 } } },
  'cpu quota and period': { create: { cpu: { quota: 25_000, period: 50_000 } } },
  'cpu period alone': { create: { cpu: { period: 50_000 } } },
  'cpu without quota': { create: { cpu: { quota: -1 } } },
  'cpu without quota, with a period': { create: { cpu: { quota: -1, period: 20_000 } } },
  'cpu quota that is no whole percent': { create: { cpu: { quota: 12_345, period: 100_000 } } },
  'cpu burst': { create: { cpu: { quota: 50_000, period: 100_000, burst: 20_000 } } },
  'cpu burst 0': { create: { cpu: { quota: 50_000, period: 100_000, burst: 0 } } },
  'cpu burst above the quota': {
    create: { cpu: { quota: 10_000, period: 100_000, burst: 20_000 } },
  },
  'cpu idle': { create: { cpu: { idle: 1 } } },
  'cpu not idle': { create: { cpu: { idle: 0 } } },
  'cpu not idle, with shares': { create: { cpu: { idle: 0, shares: 512 } } },
  'cpu idle with shares': { create: { cpu: { idle: 1, shares: 512 } } },
  'cpuset of CPUs': { create: { cpu: { cpus: '0' } } },
  'cpuset of memory nodes': { create: { cpu: { mems: '0' } } },
  'cpuset of both': { create: { cpu: { cpus: '0-0', mems: '0' } } },
  'cpuset of a CPU that cannot be': { create: { cpu: { cpus: '4000' } } },
  'cpuset that is no list': { create: { cpu: { cpus: 'all' } } },

  processes: { create: { pids: { limit: 100 } } },
  'one process': { create: { pids: { limit: 1 } } },
  'processes without limit': { create: { pids: { limit: -1 } } },

  'io weight': { create: { blockIO: { weight: 500 } } },
  'io weight 10': { create: { blockIO: { weight: 10 } } },
  'io weight 1000': { create: { blockIO: { weight: 1000 } } },
  'io bytes read': {
    create: { blockIO: { throttleReadBpsDevice: [{ ...DISK, rate: 10 * MIB }] } },
  },
  'io bytes written': {
    create: { blockIO: { throttleWriteBpsDevice: [{ ...DISK, rate: 10 * MIB }] } },
  },
  'io reads': { create: { blockIO: { throttleReadIOPSDevice: [{ ...DISK, rate: 100 }] } } },
  'io writes': { create: { blockIO: { throttleWriteIOPSDevice: [{ ...DISK, rate: 100 }] } } },
  'io of two devices in all four ways': {
    create: {
      blockIO: {
        throttleReadBpsDevice: [
          { ...DISK, rate: 1 * MIB },
          { ...OTHER, rate: 2 * MIB },
        ],
        throttleWriteBpsDevice: [{ ...DISK, rate: 3 * MIB }],
        throttleReadIOPSDevice: [{ ...OTHER, rate: 40 }],
        throttleWriteIOPSDevice: [{ ...DISK, rate: 50 }],
      },
    },
  },
  'io of a device that is not there': {
    create: { blockIO: { throttleReadBpsDevice: [{ major: 250, minor: 7, rate: 1000 }] } },
  },

  'huge pages': { create: { hugepageLimits: [{ pageSize: '2MB', limit: 4 * MIB }] } },
  'an RDMA device that is not there': {
    create: { rdma: { mlx5_1: { hcaHandles: 3, hcaObjects: 10_000 } } },
  },

  'unified memory.high': { create: { unified: { 'memory.high': '50331648' } } },
  'unified memory.min and memory.low': {
    create: { unified: { 'memory.min': '1048576', 'memory.low': '2097152' } },
  },
  'unified memory.max wins over the limit': {
    create: { memory: { limit: 64 * MIB }, unified: { 'memory.max': '134217728' } },
  },
  'unified memory.oom.group': { create: { unified: { 'memory.oom.group': '1' } } },
  'unified memory.swap.high': { create: { unified: { 'memory.swap.high': '1048576' } } },
  'unified pids.max': { create: { unified: { 'pids.max': '77' } } },
  'unified cpu.weight': { create: { unified: { 'cpu.weight': '321' } } },
  'unified cpu.max': { create: { unified: { 'cpu.max': '10000 50000' } } },
  'unified cpu.idle': { create: { unified: { 'cpu.idle': '1' } } },
  'unified io.max of two devices': {
    create: { unified: { 'io.max': '98:0 rbps=1048576\n43:0 wiops=10\n' } },
  },
  'unified io.weight': { create: { unified: { 'io.weight': 'default 200' } } },
  'unified cgroup.max.descendants': { create: { unified: { 'cgroup.max.descendants': '5' } } },
  'unified file that is not there': { create: { unified: { 'memory.nothing': '1' } } },
  'unified controller that is not there': { create: { unified: { 'nothing.max': '1' } } },
  'unified path': { create: { unified: { '../memory.max': '1' } } },

  'everything at once': {
    create: {
      memory: { limit: 256 * MIB, reservation: 64 * MIB, swap: 512 * MIB },
      cpu: { shares: 2048, quota: 150_000, period: 100_000, cpus: '0', mems: '0' },
      pids: { limit: 300 },
      blockIO: { weight: 300, throttleReadBpsDevice: [{ ...DISK, rate: 5 * MIB }] },
      unified: { 'memory.high': '201326592' },
    },
  },

  'update of the memory limit': {
    create: { memory: { limit: 64 * MIB } },
    update: { memory: { limit: 128 * MIB } },
  },
  'update of memory and swap': {
    create: { memory: { limit: 64 * MIB, swap: 64 * MIB } },
    update: { memory: { limit: 96 * MIB, swap: 128 * MIB } },
  },
  'update to unlimited memory': {
    create: { memory: { limit: 64 * MIB, swap: 96 * MIB } },
    update: { memory: { limit: -1 } },
  },
  'update of the cpu quota': {
    create: { cpu: { quota: 50_000, period: 100_000 } },
    update: { cpu: { quota: 20_000, period: 100_000 } },
  },
  'update of cpu shares': { create: { cpu: { shares: 512 } }, update: { cpu: { shares: 1024 } } },
  'update of quota and burst upwards': {
    create: { cpu: { quota: 10_000, period: 100_000, burst: 5_000 } },
    update: { cpu: { quota: 50_000, period: 100_000, burst: 40_000 } },
  },
  'update of quota and burst downwards': {
    create: { cpu: { quota: 50_000, period: 100_000, burst: 40_000 } },
    update: { cpu: { quota: 10_000, period: 100_000, burst: 5_000 } },
  },
  'update of the number of processes': {
    create: { pids: { limit: 100 } },
    update: { pids: { limit: 20 } },
  },
  'update to processes without limit': {
    create: { pids: { limit: 100 } },
    update: { pids: { limit: -1 } },
  },
  'update of the io weight': {
    create: { blockIO: { weight: 100 } },
    update: { blockIO: { weight: 900 } },
  },
  'update of a unified key': {
    create: { unified: { 'memory.high': '50331648' } },
    update: { unified: { 'memory.high': 'max' } },
  },
}
