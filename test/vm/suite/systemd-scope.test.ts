/** Containers in scopes of systemd: --systemd-cgroup (runc docs/systemd.md). */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { makeRuntime, type Runtime } from '../../support/runtime.ts'
import { type Bundle, makeBundle } from '../../support/runtime-bundle.ts'
import {
  configureScope,
  leftovers,
  output,
  runWithSystemd,
  SLICE,
  scopeOf,
} from '../support/scope-runtime.ts'

let bundle: Bundle
let runtime: Runtime

beforeAll(() => {
  bundle = makeBundle()
  runtime = makeRuntime()
})
afterEach(() => {
  for (const id of runtime.succeed(['list', '-q']).split('\n').filter(Boolean))
    runtime.succeed(['delete', '--force', id])
  expect(leftovers()).toEqual([])
})
afterAll(() => {
  runtime[Symbol.dispose]()
  bundle[Symbol.dispose]()
})

function create(id: string, ...more: readonly string[]): void {
  const { status, log } = runWithSystemd('tsrun', runtime, [
    'create',
    '-b',
    bundle.directory,
    ...more,
    id,
  ])
  expect(log).toBe('')
  expect(status).toBe(0)
}

describe('--systemd-cgroup', () => {
  it('makes a delegated scope in the slice with init alone in it, and delete removes it', () => {
    configureScope(bundle, 'a', {})
    create('a')
    const scope = scopeOf('a')
    const { pid } = runtime.state('a')
    expect(readFileSync(`/proc/${pid}/cgroup`, 'utf8')).toBe(`0::/${SLICE}/test-a.scope\n`)
    expect(scope.read('cgroup.procs')).toBe(String(pid))
    expect(scope.properties('Delegate', 'Slice', 'ActiveState', 'CollectMode', 'TasksMax')).toEqual(
      {
        Delegate: 'yes',
        Slice: SLICE,
        ActiveState: 'active',
        CollectMode: 'inactive-or-failed',
        TasksMax: output('systemctl', 'show', '--value', '-p', 'DefaultTasksMax').trim(),
      },
    )
    runtime.succeed(['start', 'a'])
    expect(runtime.succeed(['ps', '-f', 'json', 'a']).trim()).toBe(`[${pid}]`)
    runtime.succeed(['delete', '--force', 'a'])
    expect(existsSync(scope.path)).toBe(false)
  })

  it('is in system.slice as tsrun-ID.scope without a cgroupsPath', () => {
    bundle.configure((config) => ({
      ...config,
      process: { cwd: '/', ...config.process, args: ['sleep', '1000'] },
    }))
    create('unnamed')
    const { pid } = runtime.state('unnamed')
    expect(readFileSync(`/proc/${pid}/cgroup`, 'utf8')).toBe(
      '0::/system.slice/tsrun-unnamed.scope\n',
    )
    runtime.succeed(['delete', '--force', 'unnamed'])
    expect(existsSync('/sys/fs/cgroup/system.slice/tsrun-unnamed.scope')).toBe(false)
  })

  it('tells the limits to systemd and to the kernel, and update changes both', () => {
    configureScope(bundle, 'limits', {
      memory: { limit: 64 << 20, reservation: 16 << 20, swap: 96 << 20 },
      cpu: { shares: 512, quota: 12_345, period: 50_000, cpus: '0', mems: '0' },
      pids: { limit: 33 },
      unified: { 'memory.high': '50331648' },
    })
    create('limits')
    const scope = scopeOf('limits')
    const names = ['MemoryMax', 'MemoryLow', 'MemoryHigh', 'MemorySwapMax', 'TasksMax', 'CPUWeight']
    const cpus = ['AllowedCPUs', 'AllowedMemoryNodes', 'CPUQuotaPerSecUSec', 'CPUQuotaPeriodUSec']
    expect(scope.properties(...names, ...cpus)).toEqual({
      MemoryMax: String(64 << 20),
      MemoryLow: String(16 << 20),
      MemoryHigh: String(48 << 20),
      MemorySwapMax: String(32 << 20),
      TasksMax: '33',
      CPUWeight: '59',
      AllowedCPUs: '0',
      AllowedMemoryNodes: '0',
      CPUQuotaPerSecUSec: '250ms',
      CPUQuotaPeriodUSec: '50ms',
    })
    const files = [
      'memory.max',
      'memory.low',
      'memory.high',
      'memory.swap.max',
      'pids.max',
      'cpu.weight',
      'cpu.max',
      'cpuset.cpus',
    ]
    const contents = (): Record<string, string> =>
      Object.fromEntries(files.map((file) => [file, scope.read(file)]))
    const before = contents()
    expect(before).toEqual({
      'memory.max': String(64 << 20),
      'memory.low': String(16 << 20),
      'memory.high': String(48 << 20),
      'memory.swap.max': String(32 << 20),
      'pids.max': '33',
      'cpu.weight': '59',
      'cpu.max': '12500 50000',
      'cpuset.cpus': '0',
    })
    // systemd writes what it knows once more: nothing may change.
    output('systemctl', 'daemon-reload')
    expect(contents()).toEqual(before)
    runtime.succeed([
      'update',
      '--memory',
      '128m',
      '--pids-limit',
      '44',
      '--cpu-share',
      '2048',
      'limits',
    ])
    expect(scope.properties('MemoryMax', 'TasksMax', 'CPUWeight', 'MemoryLow')).toEqual({
      MemoryMax: String(128 << 20),
      TasksMax: '44',
      CPUWeight: '174',
      MemoryLow: String(16 << 20),
    })
    expect(contents()).toEqual({
      ...before,
      'memory.max': String(128 << 20),
      'pids.max': '44',
      'cpu.weight': '174',
    })
  })

  it('leaves room for init under a limit of one process, and sets that limit then', () => {
    configureScope(bundle, 'one', { pids: { limit: 1 } })
    create('one')
    expect(scopeOf('one').read('pids.max')).toBe('1')
    expect(scopeOf('one').read('pids.current')).toBe('1')
    expect(scopeOf('one').properties('TasksMax')).toEqual({ TasksMax: '1' })
    runtime.succeed(['start', 'one'])
  })

  it('keeps device rules that systemd can and that it cannot say, and update replaces them', () => {
    const kmsg = { type: 'c', major: 1, minor: 11, access: 'rw' }
    for (const [id, policy, rules] of [
      ['list', 'strict', [{ allow: false, access: 'rwm' }]],
      [
        'holes',
        'auto',
        [
          { allow: true, access: 'rwm' },
          { allow: false, ...kmsg },
        ],
      ],
    ] as const) {
      configureScope(bundle, id, { devices: rules })
      create(id)
      runtime.succeed(['start', id])
      expect(scopeOf(id).properties('DevicePolicy')).toEqual({ DevicePolicy: policy })
      const open = (): string =>
        runtime.run(['exec', id, 'sh', '-c', '{ : >>/dev/kmsg; } 2>&1']).stdout
      expect(open()).toContain('peration not permitted')
      const update = (allow: boolean): void => {
        const resources = JSON.stringify({
          devices: [
            { allow: false, access: 'rwm' },
            { allow, ...kmsg },
          ],
        })
        const path = join(bundle.directory, 'resources.json')
        writeFileSync(path, resources)
        runtime.succeed(['update', '--resources', path, id])
      }
      update(true)
      expect(open()).not.toContain('peration not permitted')
      update(false)
      expect(open()).toContain('peration not permitted')
    }
  })

  it('hands annotations on to systemd', () => {
    configureScope(
      bundle,
      'annotated',
      {},
      {
        'org.systemd.property.TimeoutStopSec': 'uint64 7',
        'org.systemd.property.Description': "'from an annotation'",
        'org.systemd.property.After': "['tsrun-none.target']",
      },
    )
    create('annotated')
    const { After, ...rest } = scopeOf('annotated').properties(
      'TimeoutStopUSec',
      'Description',
      'After',
    )
    expect(rest).toEqual({ TimeoutStopUSec: '7s', Description: 'from an annotation' })
    expect(After).toContain('tsrun-none.target')
  })

  it('is gone when the container has ended by itself, before delete', async () => {
    configureScope(bundle, 'ends', {})
    create('ends')
    runtime.succeed(['start', 'ends'])
    runtime.succeed(['kill', 'ends', 'KILL'])
    await runtime.waitFor('ends', 'stopped')
    for (let i = 0; leftovers().length > 0 && i < 100; i++)
      await new Promise((resolve) => setTimeout(resolve, 50))
    expect(leftovers()).toEqual([])
    runtime.succeed(['delete', 'ends'])
  })

  it('ends the container when somebody stops its unit', async () => {
    configureScope(bundle, 'stopped', {}, { 'org.systemd.property.TimeoutStopSec': 'uint64 1' })
    create('stopped')
    runtime.succeed(['start', 'stopped'])
    output('systemctl', 'stop', scopeOf('stopped').unit)
    await runtime.waitFor('stopped', 'stopped')
    runtime.succeed(['delete', 'stopped'])
  })

  it('pauses, resumes and executes as in a cgroup of its own', async () => {
    configureScope(bundle, 'verbs', {})
    create('verbs')
    runtime.succeed(['start', 'verbs'])
    runtime.succeed(['pause', 'verbs'])
    expect(runtime.state('verbs').status).toBe('paused')
    runtime.succeed(['resume', 'verbs'])
    expect(runtime.succeed(['exec', 'verbs', 'cat', '/proc/self/cgroup'])).toBe('0::/\n')
    expect(JSON.parse(runtime.succeed(['events', '--stats', 'verbs']))).toMatchObject({
      id: 'verbs',
    })
  })

  it.each([
    [
      'a limit that the kernel refuses',
      { cpu: { cpus: '4000' } },
      {},
      /cpuset limit \(linux\.resources\.cpu\.cpus\): write "4000" to \S+\/cpuset\.cpus: \w+ \(/,
    ],
    [
      'a property that systemd refuses',
      {},
      { 'org.systemd.property.NoSuchThing': 'true' },
      /systemd unit test-bad\.scope: .*NoSuchThing/,
    ],
    [
      'an annotation that is no GVariant',
      {},
      { 'org.systemd.property.NoSuchThing': 'x y' },
      /annotation org\.systemd\.property\.NoSuchThing/,
    ],
  ])('leaves nothing of a create with %s', (_what, resources, annotations, text) => {
    configureScope(bundle, 'bad', resources, annotations)
    const { status, log } = runWithSystemd('tsrun', runtime, [
      'create',
      '-b',
      bundle.directory,
      'bad',
    ])
    expect(status).toBe(1)
    expect(log).toMatch(text)
    expect(runtime.succeed(['list', '-q'])).toBe('')
    expect(leftovers()).toEqual([])
  })

  it('refuses a cgroupsPath that is no slice:prefix:name, and a unit that is there', () => {
    configureScope(bundle, 'x', {})
    bundle.configure((config) => ({ ...config, linux: { ...config.linux, cgroupsPath: '/a/b' } }))
    const wrong = runWithSystemd('tsrun', runtime, ['create', '-b', bundle.directory, 'x'])
    expect(wrong.log).toContain('expected cgroupsPath to be of format "slice:prefix:name"')
    configureScope(bundle, 'taken', {})
    create('taken')
    const second = runWithSystemd('tsrun', runtime, ['create', '-b', bundle.directory, 'other'])
    expect(second.status).toBe(1)
    expect(second.log).toContain('cgroup is not empty')
    expect(runtime.state('taken').status).toBe('created')
  })

  it('removes the scope of a create that was killed, with the next command', async () => {
    configureScope(bundle, 'killed', {})
    for (let delay = 20; delay <= 600; delay += 40) {
      const child = spawnSync(
        'timeout',
        ['-s', 'KILL', `${delay / 1000}`, ...commandLine('killed')],
        { stdio: 'ignore' },
      )
      if (child.status === 0) break
      runtime.succeed(['list'])
      runtime.succeed(['delete', '--force', 'killed'])
      for (let i = 0; leftovers().length > 0 && i < 100; i++)
        await new Promise((resolve) => setTimeout(resolve, 20))
      expect(leftovers()).toEqual([])
    }
  })
})

function commandLine(id: string): readonly string[] {
  return [...runtime.commandLine([]), '--systemd-cgroup', 'create', '-b', bundle.directory, id]
}
