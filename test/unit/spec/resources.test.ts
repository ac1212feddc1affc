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

  it.each<SpecOptions>([
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
