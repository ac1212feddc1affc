import { describe, expect, it } from 'vitest'
import { resourcesToFiles } from '../../../../src/cgroup/resources-to-files.ts'
import { roundedCpuMax, unitProperties } from '../../../../src/cgroup/systemd/unit-properties.ts'
import type { Resources } from '../../../../src/oci/runtime-config.ts'

function propertiesOf(resources: Resources): Record<string, unknown> {
  const properties = unitProperties(resourcesToFiles(resources))
  return Object.fromEntries(properties.map(({ name, value }) => [name, value]))
}

const INFINITY = 2n ** 64n - 1n

describe('unitProperties()', () => {
  it.each<[Resources, Record<string, unknown>]>([
    [{}, {}],
    [
      { memory: { limit: 1000, reservation: 500, swap: 3000 } },
      { MemoryMax: 1000n, MemoryLow: 500n, MemorySwapMax: 2000n },
    ],
    [{ memory: { limit: -1 } }, { MemoryMax: INFINITY, MemorySwapMax: INFINITY }],
    [{ cpu: { shares: 1024 } }, { CPUWeight: 100n }],
    [{ cpu: { shares: 1024, idle: 1 } }, { CPUWeight: 0n }],
    [{ cpu: { idle: 0 } }, {}],
    [{ cpu: { quota: 50_000 } }, { CPUQuotaPerSecUSec: 500_000n, CPUQuotaPeriodUSec: 100_000n }],
    [
      { cpu: { quota: 1500, period: 100_000 } },
      { CPUQuotaPerSecUSec: 20_000n, CPUQuotaPeriodUSec: 100_000n },
    ],
    [{ cpu: { quota: -1 } }, { CPUQuotaPerSecUSec: INFINITY, CPUQuotaPeriodUSec: 100_000n }],
    [
      { cpu: { cpus: '0-1', mems: '0' } },
      { AllowedCPUs: new Uint8Array([3]), AllowedMemoryNodes: new Uint8Array([1]) },
    ],
    [{ pids: { limit: -1 } }, { TasksMax: INFINITY }],
    [{ pids: { limit: 0 } }, { TasksMax: 1n }],
    [{ blockIO: { weight: 10 } }, { IOWeight: 1n }],
    [{ blockIO: { weight: 1000 } }, { IOWeight: 10000n }],
    [
      { unified: { 'memory.high': '9000', 'memory.min': 'max', 'pids.max': ' 7 ' } },
      { MemoryHigh: 9000n, MemoryMin: INFINITY, TasksMax: 7n },
    ],
    [
      { unified: { 'cpu.weight': '300', 'cpu.max': 'max 50000' } },
      { CPUWeight: 300n, CPUQuotaPerSecUSec: INFINITY, CPUQuotaPeriodUSec: 50_000n },
    ],
    [{ unified: { 'misc.max': 'x 1', 'memory.max': 'nonsense' } }, {}],
  ])('maps %j', (resources, properties) => {
    expect(propertiesOf(resources)).toEqual(properties)
  })
})

describe('roundedCpuMax()', () => {
  it.each([
    ['1500 100000', '2000 100000'],
    ['50000 100000', '50000 100000'],
    ['12345', '13000 100000'],
    ['max 100000', 'max 100000'],
  ])('%s becomes %s', (value, rounded) => {
    const write = { controller: 'cpu', file: 'cpu.max', value, pointer: '/cpu/quota' }
    expect(roundedCpuMax(write).value).toBe(rounded)
  })
})
