/** Scheduling, affinity, personality and memory policy: what the kernel would refuse is refused by pointer. */
import { describe, expect, it } from 'vitest'
import { validateRuntimeConfig } from '../../../src/oci/validate-runtime-config.ts'

type Json = Record<string, unknown>

function problems(process: Json, linux: Json = {}): readonly string[] {
  const document = {
    ociVersion: '1.3.0',
    root: { path: 'rootfs' },
    process: { cwd: '/', args: ['sh'], ...process },
    linux: { namespaces: [{ type: 'mount' }], ...linux },
  }
  return validateRuntimeConfig(document).map(({ pointer, message }) => `${pointer} ${message}`)
}

describe('validateRuntimeConfig() of process.scheduler', () => {
  it.each([
    { policy: 'SCHED_OTHER', nice: 19, flags: ['SCHED_FLAG_RESET_ON_FORK'] },
    { policy: 'SCHED_FIFO', priority: 1 },
    { policy: 'SCHED_DEADLINE', runtime: 1, deadline: 2, period: 3 },
    { policy: 'SCHED_IDLE', nice: 0, priority: 0, runtime: 0 },
  ])('accepts %j', (scheduler) => {
    expect(problems({ scheduler })).toEqual([])
  })

  it.each([
    [{}, '/process/scheduler/policy is required'],
    [{ policy: 'SCHED_WRR' }, '/process/scheduler/policy must be one of SCHED_OTHER'],
    [{ policy: 'SCHED_BATCH', nice: 20 }, '/process/scheduler/nice must be from -20 to 19'],
    [{ policy: 'SCHED_RR' }, '/process/scheduler/priority must be from 1 to 99 with SCHED_RR'],
    [{ policy: 'SCHED_OTHER', priority: 1 }, '/process/scheduler/priority must not be set with'],
    [{ policy: 'SCHED_FIFO', priority: 1, period: 1 }, '/process/scheduler/period must not be set'],
    [{ policy: 'SCHED_OTHER', flags: ['FAST'] }, '/process/scheduler/flags/0 must be one of'],
  ])('refuses %j', (scheduler, problem) => {
    expect(problems({ scheduler })).toEqual([expect.stringContaining(problem)])
  })
})

describe('validateRuntimeConfig() of ioPriority and execCPUAffinity', () => {
  it.each([
    [
      { ioPriority: { class: 'IOPRIO_CLASS_RT', priority: 8 } },
      '/process/ioPriority/priority must',
    ],
    [
      { ioPriority: { class: 'IOPRIO_CLASS_IDLE', priority: 8 } },
      '/process/ioPriority/priority must be from 0 to 7',
    ],
    [{ ioPriority: { class: 'IOPRIO_CLASS_BE' } }, '/process/ioPriority/priority is required'],
    [
      { ioPriority: { class: 'IOPRIO_CLASS_NONE', priority: 0 } },
      '/process/ioPriority/class must be one of',
    ],
    [{ execCPUAffinity: { initial: '0-' } }, '/process/execCPUAffinity/initial must be a list'],
    [{ execCPUAffinity: { final: '9-1' } }, '/process/execCPUAffinity/final must be a list'],
  ])('refuses %j', (process, problem) => {
    expect(problems(process)).toEqual([expect.stringContaining(problem)])
  })

  it('accepts empty lists, which mean none', () => {
    expect(problems({ execCPUAffinity: { initial: '', final: '0-3,7' } })).toEqual([])
  })
})

describe('validateRuntimeConfig() of memoryPolicy and personality', () => {
  it.each([
    { memoryPolicy: { mode: 'MPOL_DEFAULT' } },
    { memoryPolicy: { mode: 'MPOL_PREFERRED' } },
    { memoryPolicy: { mode: 'MPOL_BIND', nodes: '0-1', flags: ['MPOL_F_NUMA_BALANCING'] } },
    { personality: { domain: 'LINUX32', flags: [] } },
  ])('accepts %j', (linux) => {
    expect(problems({}, linux)).toEqual([])
  })

  it.each([
    // The words are runc's: invalid memory policy mode, nodes, flag.
    [
      { memoryPolicy: { nodes: '0' } },
      '/linux/memoryPolicy/mode is required, an invalid memory policy mode: it must be one of',
    ],
    [{ memoryPolicy: { mode: 'BIND' } }, 'must not be "BIND", an invalid memory policy mode: it'],
    [{ memoryPolicy: { mode: 7 } }, '/linux/memoryPolicy/mode must be a string, not a number'],
    [
      { memoryPolicy: { mode: 'MPOL_DEFAULT', nodes: '0-7,3' } },
      '/linux/memoryPolicy/nodes must be empty with MPOL_DEFAULT: the mode requires 0 nodes but got 8',
    ],
    [
      { memoryPolicy: { mode: 'MPOL_DEFAULT', flags: ['MPOL_F_X'] } },
      '/linux/memoryPolicy/flags/0 is the invalid memory policy flag "MPOL_F_X", it must be one of',
    ],
    [{ memoryPolicy: { mode: 'MPOL_BIND' } }, '/linux/memoryPolicy/nodes must name a memory node'],
    [
      { memoryPolicy: { mode: 'MPOL_LOCAL', nodes: '0' } },
      '/linux/memoryPolicy/nodes must be empty',
    ],
    [
      { memoryPolicy: { mode: 'MPOL_BIND', nodes: 'x' } },
      '/linux/memoryPolicy/nodes holds invalid memory policy nodes "x": it must be a list',
    ],
    [
      {
        memoryPolicy: {
          mode: 'MPOL_BIND',
          nodes: '0',
          flags: ['MPOL_F_STATIC_NODES', 'MPOL_F_RELATIVE_NODES'],
        },
      },
      '/linux/memoryPolicy/flags must not hold both',
    ],
    [{ personality: { domain: 'BSD' } }, '/linux/personality/domain must be one of'],
    [{ personality: { domain: 'LINUX', flags: ['X'] } }, '/linux/personality/flags must be empty'],
  ])('refuses %j', (linux, problem) => {
    expect(problems({}, linux)).toEqual([expect.stringContaining(problem)])
  })
})

describe('validateRuntimeConfig() of intelRdt', () => {
  it('accepts what resctrl takes', () => {
    const intelRdt = {
      closID: '/',
      l3CacheSchema: 'L3:0=f',
      memBwSchema: 'MB:0=20',
      schemata: ['L2:0=1'],
    }
    expect(problems({}, { intelRdt })).toEqual([])
    expect(problems({}, { intelRdt: { enableMonitoring: true } })).toEqual([])
  })

  it.each([
    [{ closID: '../x' }, '/linux/intelRdt/closID must be'],
    [{ closID: 'info' }, '/linux/intelRdt/closID must be'],
    [{ memBwSchema: 'L3:0=1' }, '/linux/intelRdt/memBwSchema must start with "MB:"'],
    [{ l3CacheSchema: 'L3:0=1\nMB:0=1' }, '/linux/intelRdt/l3CacheSchema must be one line'],
    [{ schemata: ['a\nb'] }, '/linux/intelRdt/schemata/0 must be one line'],
    [{ enableMonitoring: 1 }, '/linux/intelRdt/enableMonitoring must be true or false'],
  ])(
    'refuses %j [config-linux.md#intelrdt/5] [config-linux.md#intelrdt/6]',
    (intelRdt, problem) => {
      expect(problems({}, { intelRdt })).toEqual([expect.stringContaining(problem)])
    },
  )
})
