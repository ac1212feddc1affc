import { describe, expect, it } from 'vitest'
import { parseCgroupStats } from '../../../src/cgroup/stats.ts'
import { cpuPercent, usageOf } from '../../../src/engine/container-usage.ts'

const FILES: Readonly<Record<string, string>> = {
  'cpu.stat': 'usage_usec 5000000\nuser_usec 4000000\nsystem_usec 1000000\n',
  'cpu.pressure':
    'some avg10=12.50 avg60=1.00 avg300=0.10 total=99\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n',
  'memory.current': '3000\n',
  'memory.max': 'max\n',
  'memory.peak': '9000\n',
  'memory.stat': 'anon 1000\nfile 1500\ninactive_file 1200\n',
  'pids.current': '3\n',
  'io.stat': '8:0 rbytes=100 wbytes=20 rios=1 wios=1\n8:16 rbytes=7 wbytes=0 rios=1 wios=0\n',
}

const usage = usageOf(
  parseCgroupStats(Object.keys(FILES), (name) => FILES[name]),
  1000,
  50_000n,
)

describe('usageOf()', () => {
  it('counts memory without the cache that the kernel could give up, and all devices together', () => {
    expect(usage).toEqual({
      at: 1000,
      cpuUsec: 5_000_000n,
      memory: 1800n,
      memoryLimit: 50_000n,
      memoryPeak: 9000n,
      blockRead: 107n,
      blockWritten: 20n,
      processes: 3n,
      pressure: { cpu: 12.5 },
    })
  })
})

describe('cpuPercent()', () => {
  it('is the share of one CPU between two looks', () => {
    expect(cpuPercent(usage, { ...usage, at: 2000, cpuUsec: 5_500_000n })).toBe(50)
    expect(cpuPercent(usage, { ...usage, at: 2000, cpuUsec: 7_000_000n })).toBe(200)
  })

  it('is nothing for a single look, and for a counter that went back', () => {
    expect(cpuPercent(usage, usage)).toBe(0)
    expect(cpuPercent(usage, { ...usage, at: 2000, cpuUsec: 0n })).toBe(0)
  })
})
