import { describe, expect, it } from 'vitest'
import { parseCgroupStats } from '../../../src/cgroup/stats.ts'
import { statsEvent } from '../../../src/runtime/stats-event.ts'
import { stringifyExact } from '../../../src/util/exact-json.ts'

const eventOf = (files: Readonly<Record<string, string>>): string =>
  stringifyExact(
    statsEvent(
      't1',
      parseCgroupStats(Object.keys(files), (name) => files[name]),
    ),
  )

const PSI = 'some avg10=0.50 avg60=0.00 avg300=0.00 total=9559\n'
const CPUSET =
  '"cpuset":{"cpu_exclusive":0,"mem_hardwall":0,"mem_exclusive":0,"memory_migrate":0,"memory_spread_page":0,"memory_spread_slab":0,"memory_pressure":0,"sched_load_balance":0,"sched_relax_domain_level":0}'
const EMPTY = '{"limit":0,"failcnt":0}'

describe('statsEvent()', () => {
  // Both texts are what runc 1.3 prints for these files.
  it('leaves out what runc leaves out', () => {
    const text = eventOf({
      'cgroup.procs': '1\n',
      'cpu.stat': 'usage_usec 16692\nsystem_usec 16692\nuser_usec 0\n',
      'cpu.pressure': PSI,
      'hugetlb.2MB.current': '0\n',
    })
    expect(text).toBe(
      `{"type":"stats","id":"t1","data":{"cpu":{"usage":{"total":16692000,"kernel":16692000,"user":0},"throttling":{},"psi":{"some":{"avg10":0.5,"avg60":0,"avg300":0,"total":9559},"full":{"avg10":0,"avg60":0,"avg300":0,"total":0}}},${CPUSET},"memory":{"usage":${EMPTY},"swap":${EMPTY},"kernel":${EMPTY},"kernelTCP":${EMPTY}},"pids":{"current":1},"blkio":{},"hugetlb":{"2MB":{"failcnt":0}},"intel_rdt":{},"network_interfaces":null}}`,
    )
  })

  it('has the numbers of each controller', () => {
    const text = eventOf({
      'cpu.stat': 'nr_periods 2\nnr_throttled 1\nthrottled_usec 3\n',
      'memory.current': '4096\n',
      'memory.max': 'max\n',
      'memory.peak': '8192\n',
      'memory.swap.current': '100\n',
      'memory.swap.max': 'max\n',
      'memory.stat': 'file 5\nanon 6\n',
      'pids.current': '3\n',
      'pids.max': 'max\n',
      'io.stat': '8:0 rbytes=1 wbytes=0 rios=3 wios=4\n',
      'hugetlb.1GB.current': '7\n',
      'hugetlb.1GB.events': 'max 8\n',
    })
    const { data } = JSON.parse(text)
    expect(data.cpu.throttling).toEqual({ periods: 2, throttledPeriods: 1, throttledTime: 3000 })
    expect(text).toContain(
      '"cache":5,"usage":{"limit":18446744073709551615,"usage":4096,"max":8192,"failcnt":0}',
    )
    expect(text).toContain('"swap":{"limit":18446744073709551615,"usage":4196,"failcnt":0}')
    expect(text).toContain('"raw":{"anon":6,"file":5}')
    expect(data.pids).toEqual({ current: 3 })
    expect(text).toContain(
      '"blkio":{"ioServiceBytesRecursive":[{"major":8,"op":"Read","value":1},{"major":8,"op":"Write"}],"ioServicedRecursive":[{"major":8,"op":"Read","value":3},{"major":8,"op":"Write","value":4}]}',
    )
    expect(data.hugetlb).toEqual({ '1GB': { usage: 7, failcnt: 8 } })
  })

  it('counts memory and swap together, as cgroup v1 did', () => {
    const text = eventOf({
      'memory.current': '1\n',
      'memory.max': '10\n',
      'memory.swap.current': '2\n',
      'memory.swap.max': '5\n',
    })
    expect(text).toContain('"swap":{"limit":15,"usage":3,"failcnt":0}')
  })
})
