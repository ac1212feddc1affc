import { describe, expect, it } from 'vitest'
import { NO_LIMIT, parseCgroupStats, readCgroupStats } from '../../../src/cgroup/stats.ts'

const FILES: Readonly<Record<string, string>> = {
  'cpu.stat':
    'usage_usec 3000\nuser_usec 1000\nsystem_usec 2000\nnr_periods 5\nnr_throttled 1\nthrottled_usec 7\n',
  'cpu.pressure':
    'some avg10=0.12 avg60=1.00 avg300=2.50 total=9559\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=18446744073709551615\n',
  'memory.current': '4096\n',
  'memory.max': 'max\n',
  'memory.peak': '8192\n',
  'memory.swap.current': '0\n',
  'memory.swap.max': '1048576\n',
  'memory.stat': 'anon 1\nfile 2\nkernel_stack 18446744073709551615\n',
  'memory.events': 'low 0\nhigh 0\nmax 3\noom 1\noom_kill 2\n',
  'pids.current': '3\n',
  'pids.max': '20\n',
  'io.stat': '8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0\n259:1\n',
  'hugetlb.2MB.current': '2097152\n',
  'hugetlb.2MB.rsvd.current': '4194304\n',
  'hugetlb.2MB.events': 'max 6\n',
}

const parse = (files: Readonly<Record<string, string>>) =>
  parseCgroupStats(Object.keys(files), (name) => files[name])

describe('parseCgroupStats()', () => {
  it('reads every controller', () => {
    expect(parse(FILES)).toEqual({
      cpu: {
        stat: {
          usage_usec: 3000n,
          user_usec: 1000n,
          system_usec: 2000n,
          nr_periods: 5n,
          nr_throttled: 1n,
          throttled_usec: 7n,
        },
        pressure: {
          some: { avg10: 0.12, avg60: 1, avg300: 2.5, total: 9559n },
          full: { avg10: 0, avg60: 0, avg300: 0, total: NO_LIMIT },
        },
      },
      memory: {
        usage: { current: 4096n, limit: NO_LIMIT, peak: 8192n },
        swap: { current: 0n, limit: 1048576n },
        stat: { anon: 1n, file: 2n, kernel_stack: NO_LIMIT },
        events: { low: 0n, high: 0n, max: 3n, oom: 1n, oom_kill: 2n },
      },
      pids: { current: 3n, limit: 20n },
      io: {
        devices: [
          {
            major: 8n,
            minor: 0n,
            counters: { rbytes: 1n, wbytes: 2n, rios: 3n, wios: 4n, dbytes: 0n, dios: 0n },
          },
          { major: 259n, minor: 1n, counters: {} },
        ],
      },
      hugetlb: { '2MB': { current: 4194304n, failures: 6n } },
    })
  })

  it('does without the controllers that are not there', () => {
    expect(parse({ 'cgroup.procs': '1\n2\n' })).toEqual({
      cpu: { stat: {} },
      memory: { stat: {}, events: {} },
      pids: { current: 2n, limit: NO_LIMIT },
      io: { devices: [] },
      hugetlb: {},
    })
  })

  it('leaves out what it cannot read', () => {
    const torn = {
      'cpu.stat': 'usage_usec\nuser_usec x\n__proto__ 5\n-1\n',
      'cpu.pressure': 'some avg10=nan\n',
      'memory.current': '99999999999999999999999\n',
      'io.stat': '8:0:1 rbytes=1\nname rbytes=1\n8:0 rbytes=-1 =\n',
    }
    const stats = parse(torn)
    expect(Object.keys(stats.cpu.stat)).not.toContain('usage_usec')
    expect(stats.cpu.pressure).toEqual({})
    expect(stats.memory.usage).toBeUndefined()
    expect(stats.io.devices).toEqual([{ major: 8n, minor: 0n, counters: {} }])
  })
})

describe('readCgroupStats()', () => {
  it('says that the cgroup is gone', () => {
    expect(() => readCgroupStats('/sys/fs/cgroup/none/such')).toThrow('it is gone')
  })
})
