/** The plans that the mutation fuzz starts from: whole containers, and small ones with each opcode. */
import { defaultRuntimeConfig } from '../../src/oci/default-config.ts'
import type { RuntimeConfig } from '../../src/oci/runtime-config.ts'
import { compileCreate } from '../../src/plan/compile-create.ts'
import { compileExec } from '../../src/plan/compile-exec.ts'
import type { CompileCreateOptions } from '../../src/plan/compile-options.ts'
import type { Plan } from '../../src/plan/plan.ts'
import { PlanBuilder } from '../../src/plan/plan-builder.ts'
import { compileDeletePlan } from '../../src/runtime/verb-plans/delete-plan.ts'
import { compileStartPlan } from '../../src/runtime/verb-plans/start-plan.ts'

const OPTIONS: CompileCreateOptions = {
  architecture: 'x86_64',
  features: {
    cloneIntoCgroup: true,
    lastCapability: 40,
    withheldCapabilities: [],
    makesDevices: true,
    timeNamespaces: true,
    apparmor: false,
    selinux: false,
  },
  supervise: true,
  tethered: true,
  preservedFds: 1,
  console: false,
  cgroupPath: '/sys/fs/cgroup/fuzz',
  rootfs: '/bundle/rootfs',
  gate: true,
  containerId: 'fuzz',
  bundle: '/bundle',
}

const SMALL: RuntimeConfig = {
  ociVersion: '1.2.0',
  root: { path: 'rootfs' },
  process: { cwd: '/', args: ['/bin/true'], env: ['PATH=/bin'], user: { uid: 0, gid: 0 } },
  linux: { namespaces: [{ type: 'mount' }, { type: 'pid' }] },
}

/** File name → plan. */
export function fuzzSeeds(): ReadonlyMap<string, Plan> {
  const { cgroupPath: _, ...options } = OPTIONS
  return new Map([
    ['default-create', compileCreate(withoutTerminal(defaultRuntimeConfig()), OPTIONS)],
    ['small-create', compileCreate(SMALL, { ...options, supervise: false })],
    [
      'exec',
      compileExec(SMALL.process ?? { cwd: '/' }, SMALL, {
        ...OPTIONS,
        cgroup: true,
        joinFlags: 0x20000,
      }),
    ],
    ['verb-start', compileStartPlan('x86_64')],
    ['verb-delete', compileDeletePlan('x86_64', true)],
    ['nothing', new PlanBuilder('x86_64').finish()],
    ['calls', callsPlan()],
    ['flow', flowPlan()],
    ['memory', memoryPlan()],
    ['fail', failPlan()],
    ['extend', extendPlan()],
    ['clone', clonePlan()],
    ['relocations', relocationsPlan()],
  ])
}

function withoutTerminal(config: RuntimeConfig): RuntimeConfig {
  return { ...config, process: { cwd: '/', ...config.process, terminal: false } }
}

function callsPlan(): Plan {
  const b = new PlanBuilder('x86_64')
  const report = b.descriptor('report')
  const fd = b.sys('openat', [-100, b.string('/dev/null'), 0, 0], {
    tolerate: ['ENOENT', 'EEXIST'],
  })
  const buffer = b.zeros(64)
  b.run('read', [fd, buffer, 64], { tolerate: ['*'] })
  b.run('write', [report, buffer, 64])
  b.run('close', [fd])
  b.exit(3)
  return b.finish()
}

function flowPlan(): Plan {
  const b = new PlanBuilder('x86_64')
  b.descriptor('report')
  const value = b.slot('value')
  b.set(value, 7)
  for (const operator of ['add', 'sub', 'and', 'or', 'shl', 'shr'] as const) {
    b.compute(value, operator, 3, value)
  }
  for (const condition of ['eq', 'ne', 'lt', 'le', 'gt', 'ge'] as const) {
    const label = b.label()
    b.branch(value, condition, 2, label)
    b.compute(value, 'add', 1, value)
    b.place(label)
  }
  b.exit(value)
  return b.finish()
}

function memoryPlan(): Plan {
  const b = new PlanBuilder('x86_64')
  const data = b.zeros(61)
  for (const width of [1, 2, 4, 8] as const) {
    b.store(width, data, 61 - width, -2)
    const loaded = b.load(width, data, width)
    b.compute(loaded, 'or', 0x1234, loaded)
    b.store(width, data, 5, loaded)
  }
  b.run('getrandom', [data, 61, 0])
  return b.finish()
}

function extendPlan(): Plan {
  const b = new PlanBuilder('x86_64')
  b.descriptor('report')
  const plan = b.descriptor('plan')
  const before = b.words([b.string('data')])
  b.extend(plan)
  b.run('write', [plan, before, 8], { tolerate: ['*'] })
  b.extend(plan)
  b.exit(0)
  return b.finish()
}

function clonePlan(): Plan {
  const b = new PlanBuilder('x86_64')
  b.descriptor('report')
  const parent = b.label()
  const pid = b.clone(b.zeros(91))
  b.branch(pid, 'ne', 0, parent)
  b.exit(1)
  b.place(parent)
  b.exit(pid)
  return b.finish()
}

function failPlan(): Plan {
  const b = new PlanBuilder('x86_64')
  const failed = b.label()
  const result = b.sys('getpid', [], { tolerate: ['*'] })
  b.branch(result, 'lt', 0, failed)
  b.exit(0)
  b.place(failed)
  b.fail(result)
  return b.finish()
}

function relocationsPlan(): Plan {
  const b = new PlanBuilder('x86_64')
  const iov = b.words([b.string('one'), 3, b.string('two'), 3, b.zeros(0), 0])
  b.run('writev', [1, iov, 3])
  const argv = b.stringArray(['sh', '-c', 'true'])
  b.run('execve', [b.string('/bin/sh'), argv, b.stringArray([])])
  b.zeros(15) // ends seven bytes behind a word: no relocation fits there
  return b.finish()
}
