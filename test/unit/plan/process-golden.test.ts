/** Golden plans of what a process is besides its user: scheduling, affinity, memory policy, personality. */
import { describe, expect, test } from 'vitest'
import { compileCreate } from '../../../src/plan/compile-create.ts'
import { compileExec } from '../../../src/plan/compile-exec.ts'
import {
  filteredPlan,
  type Golden,
  OPTIONS,
  SMALL,
  testGoldenPlans,
} from '../../support/golden-plan.ts'

const CASES: readonly Golden[] = [
  {
    name: 'scheduler',
    process: {
      scheduler: {
        policy: 'SCHED_DEADLINE',
        flags: ['SCHED_FLAG_RESET_ON_FORK', 'SCHED_FLAG_RECLAIM'],
        runtime: 10_000_000,
        deadline: 20_000_000,
        period: 30_000_000,
      },
      ioPriority: { class: 'IOPRIO_CLASS_BE', priority: 4 },
    },
    origins: ['/process/scheduler', '/process/ioPriority'],
  },
  {
    name: 'memory-policy-and-personality',
    linux: {
      namespaces: [{ type: 'mount' }],
      memoryPolicy: { mode: 'MPOL_INTERLEAVE', nodes: '0-1,65', flags: ['MPOL_F_STATIC_NODES'] },
      personality: { domain: 'LINUX32' },
    },
    origins: ['/linux/memoryPolicy', '/linux/personality'],
  },
]

describe('compileCreate() golden plans of the process', () => testGoldenPlans(CASES))

describe('compileExec() golden plans of the process', () => {
  test('exec-cpu-affinity', async () => {
    const plan = compileExec(
      { cwd: '/', args: ['/bin/id'], execCPUAffinity: { initial: '0-1', final: '1,64' } },
      SMALL,
      { ...OPTIONS, cgroup: true, joinFlags: 0x20000 },
    )
    const origins = ['/process/execCPUAffinity', 'cpu affinity', 'process']
    await expect(filteredPlan(plan, origins)).toMatchFileSnapshot(
      '../../golden/exec-cpu-affinity.txt',
    )
  })
})

describe('compileCreate() in a user namespace', () => {
  test('leaves scheduling to the runtime outside', () => {
    const plan = compileCreate(
      {
        ...SMALL,
        process: { cwd: '/', args: ['x'], scheduler: { policy: 'SCHED_OTHER', nice: -5 } },
        linux: {
          namespaces: [{ type: 'mount' }, { type: 'user' }],
        },
      },
      OPTIONS,
    )
    expect(plan.instructions.some(({ origin }) => origin === '/process/scheduler')).toBe(false)
  })
})
