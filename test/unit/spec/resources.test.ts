import { describe, expect, it } from 'vitest'
import { buildResources } from '../../../src/spec/resources.ts'
import type { SpecOptions } from '../../../src/spec/spec-input.ts'

const build = (options: SpecOptions) => {
  const { devices: _, ...rest } = buildResources(options, [])
  return rest
}

describe('buildResources()', () => {
  it('asks for nothing when nothing is asked', () => {
    expect(build({})).toEqual({})
    expect(build({ pidsLimit: -1 })).toEqual({})
    expect(build({ pidsLimit: 0 })).toEqual({})
  })

  it('turns the options into limits', () => {
    expect(build({ memory: 64 * 2 ** 20, cpus: 1.5, pidsLimit: 50, cpusetCpus: '0-1,3' })).toEqual({
      memory: { limit: 64 * 2 ** 20, swap: 128 * 2 ** 20 },
      cpu: { quota: 150_000, period: 100_000, cpus: '0-1,3' },
      pids: { limit: 50 },
    })
    expect(build({ memorySwap: -1 })).toEqual({ memory: { swap: -1 } })
  })

  it('takes quota and period, files of the cgroup, and further devices', () => {
    const options = { cpuQuota: 20_000, cpuPeriod: 50_000, cpuShares: 512 }
    expect(build(options)).toEqual({ cpu: { quota: 20_000, period: 50_000, shares: 512 } })
    expect(build({ cpuQuota: -1, cpuPeriod: 0 })).toEqual({ cpu: { quota: -1 } })
    expect(build({ cgroupConf: ['memory.high=1m', 'cpu.max=1 2'] })).toEqual({
      unified: { 'memory.high': '1m', 'cpu.max': '1 2' },
    })
    const rule = { allow: true, type: 'c', major: 1, minor: 3, access: 'rw' }
    expect(buildResources({ deviceCgroupRules: ['c 1:3 rw'] }, []).devices).toEqual([rule])
  })

  it.each<SpecOptions>([
    { cpus: 1, cpuQuota: 1000 },
    { cpus: 1, cpuPeriod: 1000 },
    { cpuQuota: 999 },
    { cpuPeriod: 999 },
    { cpuPeriod: 1_000_001 },
    { cgroupConf: ['memory.high'] },
    { memory: 1024 },
    { memory: Number.NaN },
    { memory: 6.5 * 2 ** 20 + 0.5 },
    { memorySwap: 2 ** 30 },
    { memory: 2 ** 30, memorySwap: 2 ** 20 },
    { memory: 2 ** 30, memoryReservation: 2 ** 31 },
    { cpus: 0 },
    { cpus: -1 },
    { cpus: Number.NaN },
    { cpus: Number.POSITIVE_INFINITY },
    { cpusetCpus: 'all' },
    { cpusetMems: '0-' },
    { cpuShares: -2 },
    { pidsLimit: 1.5 },
  ])('refuses %j', (options) => {
    expect(() => build(options)).toThrow(/^cannot use /)
  })
})
