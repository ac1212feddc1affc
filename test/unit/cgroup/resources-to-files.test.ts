import { describe, expect, it } from 'vitest'
import {
  resourcesToFiles,
  sharesToWeight,
  unsupportedResources,
} from '../../../src/cgroup/resources-to-files.ts'
import type { Resources } from '../../../src/oci/runtime-config.ts'

const written = (resources: Resources) =>
  resourcesToFiles(resources).map(({ file, value }) => `${file} ${value}`)

describe('sharesToWeight()', () => {
  // Fixed points of the formula of 2025: minimum, default, maximum; and values of runc's own tests.
  it.each([
    [0, 0],
    [1, 1],
    [2, 1],
    [1024, 100],
    [262144, 10000],
    [300000, 10000],
  ])('%i is %i', (shares, weight) => {
    expect(sharesToWeight(shares)).toBe(weight)
  })

  it('never falls', () => {
    let last = 0
    for (let shares = 2; shares <= 262144; shares += 97) {
      const weight = sharesToWeight(shares)
      expect(weight).toBeGreaterThanOrEqual(last)
      last = weight
    }
  })
})

describe('resourcesToFiles()', () => {
  it('asks for nothing when nothing is asked for', () => {
    expect(resourcesToFiles({})).toEqual([])
    expect(resourcesToFiles({ memory: {}, cpu: { shares: 0 }, pids: {}, devices: [] })).toEqual([])
  })

  it.each<[string, Resources, string[]]>([
    [
      'memory',
      { memory: { limit: 1024, reservation: 512 } },
      ['memory.max 1024', 'memory.low 512'],
    ],
    [
      'swap, without the memory in it',
      { memory: { limit: 1024, swap: 3072 } },
      ['memory.swap.max 2048', 'memory.max 1024'],
    ],
    ['no swap', { memory: { limit: 1024, swap: 1024 } }, ['memory.swap.max 0', 'memory.max 1024']],
    [
      'unlimited swap',
      { memory: { limit: 1024, swap: -1 } },
      ['memory.swap.max max', 'memory.max 1024'],
    ],
    ['unlimited memory', { memory: { limit: -1 } }, ['memory.swap.max max', 'memory.max max']],
    ['quota and period', { cpu: { quota: 50000, period: 100000 } }, ['cpu.max 50000 100000']],
    ['quota alone', { cpu: { quota: 50000 } }, ['cpu.max 50000']],
    ['period alone', { cpu: { period: 20000 } }, ['cpu.max max 20000']],
    ['no quota', { cpu: { quota: -1, period: 20000 } }, ['cpu.max max 20000']],
    ['cpuset', { cpu: { cpus: '0-1', mems: '0' } }, ['cpuset.cpus 0-1', 'cpuset.mems 0']],
    ['pids', { pids: { limit: 20 } }, ['pids.max 20']],
    ['unlimited pids', { pids: { limit: -1 } }, ['pids.max max']],
    ['no pids but init', { pids: { limit: 0 } }, ['pids.max 1']],
    [
      'throttles',
      { blockIO: { throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 5 }] } },
      ['io.max 8:0 rbps=5'],
    ],
    [
      'unified',
      { unified: { 'memory.high': '7', 'cgroup.max.depth': '3' } },
      ['memory.high 7', 'cgroup.max.depth 3'],
    ],
  ])('%s', (_, resources, files) => {
    expect(written(resources)).toEqual(files)
  })

  it('has an answer for kernels without BFQ', () => {
    expect(resourcesToFiles({ blockIO: { weight: 500 } })).toMatchObject([
      {
        file: 'io.bfq.weight',
        value: 'default 500',
        otherwise: { file: 'io.weight', value: 'default 4950' },
      },
    ])
  })

  it('names the controller that each write needs', () => {
    const resources: Resources = {
      cpu: { cpus: '0' },
      unified: { 'hugetlb.2MB.max': '0', 'cgroup.max.depth': '1' },
    }
    expect(resourcesToFiles(resources).map(({ controller }) => controller)).toEqual([
      'cpuset',
      'hugetlb',
      undefined,
    ])
  })

  it.each(['../../memory.max', 'memory/max', '.', 'memory', 'memory.max/x', 'a b.c'])(
    'refuses the unified key %j',
    (key) => {
      expect(() => resourcesToFiles({ unified: { [key]: '1' } })).toThrow(
        'invalid linux.resources.unified key',
      )
    },
  )

  it('refuses swap that makes no sense', () => {
    expect(() => resourcesToFiles({ memory: { swap: 1024 } })).toThrow('without memory limit')
    expect(() => resourcesToFiles({ memory: { limit: 2048, swap: 1024 } })).toThrow('should be >=')
  })
})

describe('unsupportedResources()', () => {
  it('names what cgroup v2 has not', () => {
    expect(
      unsupportedResources({
        memory: { kernel: 1, swappiness: 60, disableOOMKiller: true },
        cpu: { realtimeRuntime: 1 },
        network: { classID: 1 },
        blockIO: { leafWeight: 10 },
      }),
    ).toEqual([
      'blockIO.leafWeight',
      'memory.kernel',
      'memory.swappiness',
      'memory.disableOOMKiller',
      'cpu.realtimeRuntime',
      'network.classID',
    ])
  })

  it('takes what engines send without meaning it', () => {
    expect(unsupportedResources({ memory: { disableOOMKiller: false, swappiness: 0 } })).toEqual([])
  })
})
