/** Golden plans of what a process is besides its user: scheduling, affinity, memory policy, personality. */
import { describe, expect, test } from 'vitest'
import { compileCreate } from '../../../src/plan/compile-create.ts'
import { compileExec } from '../../../src/plan/compile-exec.ts'
import {
  FEATURES,
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
  {
    name: 'net-devices',
    linux: {
      namespaces: [{ type: 'mount' }, { type: 'network' }],
      netDevices: { eth1: { name: 'eth0' } },
    },
    origins: ['loopback', '/linux/netDevices', 'sync network'],
  },
  {
    name: 'security-labels',
    process: {
      apparmorProfile: 'docker-default',
      selinuxLabel: 'system_u:system_r:container_t:s0:c1',
    },
    linux: {
      namespaces: [{ type: 'mount' }],
      mountLabel: 'system_u:object_r:container_file_t:s0:c1',
      maskedPaths: ['/sys/firmware'],
    },
    config: {
      mounts: [
        { destination: '/proc', type: 'proc' },
        { destination: '/tmp', type: 'tmpfs' },
        { destination: '/dev/mqueue', type: 'mqueue' },
        { destination: '/own', type: 'tmpfs', options: ['context=own'] },
      ],
    },
    options: { features: { ...FEATURES, apparmor: true, selinux: true } },
    origins: [
      'security labels',
      '/process/apparmor',
      '/process/selinux',
      '/linux/mountLabel',
      'keyring',
    ],
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

describe('compileExec() with a label', () => {
  test('mounts the procfs before it joins anything, and closes what it opened', () => {
    const plan = compileExec({ cwd: '/', args: ['/bin/id'], apparmorProfile: 'x' }, SMALL, {
      ...OPTIONS,
      features: { ...FEATURES, apparmor: true },
      cgroup: false,
      joinFlags: 0x20000,
    })
    const calls = plan.instructions.map((i) => (i.op === 'sys' ? i.name : i.op))
    expect(calls.indexOf('fsmount')).toBeGreaterThan(0)
    expect(calls.indexOf('fsmount')).toBeLessThan(calls.indexOf('setns'))
    expect(calls.indexOf('openat2')).toBeGreaterThan(calls.indexOf('clone3'))
    expect(calls.indexOf('openat2')).toBeLessThan(calls.lastIndexOf('close_range'))
  })

  test('is the plain plan with unconfined where there is no AppArmor', () => {
    const options = { ...OPTIONS, cgroup: false, joinFlags: 0x20000 }
    const process = { cwd: '/', args: ['/bin/id'] }
    expect(compileExec({ ...process, apparmorProfile: 'unconfined' }, SMALL, options)).toEqual(
      compileExec(process, SMALL, options),
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
