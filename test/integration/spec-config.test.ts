/** config.json as runtime-spec 1.3 demands it: what is refused, what is ignored, what takes effect. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { RuntimeConfig } from '../../src/oci/runtime-config.ts'
import { bind, probe } from '../support/mount-probe.ts'
import { installedRuntimes, makeRuntime, type Runtime } from '../support/runtime.ts'
import { type Bundle, makeBundle, withProcess } from '../support/runtime-bundle.ts'
import { uniqueId } from '../support/unique-id.ts'

const LACKING = uniqueId('lacking')
const WRONG = uniqueId('wrong')

let bundle: Bundle
let runtime: Runtime

const setUp = (name: Runtime['name']): void => {
  bundle = makeBundle()
  runtime = makeRuntime(name)
}
const tearDown = (): void => {
  runtime[Symbol.dispose]()
  bundle[Symbol.dispose]()
}

type Json = Record<string, unknown>
const inProcess = (fields: Json) => ({ process: { cwd: '/', args: ['true'], ...fields } })
const inLinux = (fields: Json) => ({ linux: fields })
const inResources = (resources: Json) => inLinux({ resources })
const inSeccomp = (fields: Json) =>
  inLinux({ seccomp: { defaultAction: 'SCMP_ACT_ALLOW', ...fields } })
const inSyscall = (fields: Json) =>
  inSeccomp({ syscalls: [{ names: ['chdir'], action: 'SCMP_ACT_ERRNO', ...fields }] })
const hook = (fields: Json) => ({ hooks: { poststop: [fields] } })
const device = (fields: Json) => inLinux({ devices: [fields] })

// What replaces top-level fields of a good config (undefined: removes them), and where the message points.
const REFUSALS: readonly (readonly [clauses: string, fields: Json, pointer: string])[] = [
  ['config.md#specification-version/1', { ociVersion: undefined }, '/ociVersion'],
  ['config.md#specification-version/1', { ociVersion: '1.0' }, '/ociVersion'],
  ['config.md#root/1', { root: undefined }, '/root'],
  ['config.md#root/2', { root: {} }, '/root/path'],
  ['config.md#mounts/2', { mounts: [{ type: 'tmpfs' }] }, '/mounts/0/destination'],
  [
    'config.md#linux-mount-options/4',
    { mounts: [{ destination: '/m', source: '/tmp', options: ['bind', 'idmap'] }] },
    '/mounts/0',
  ],
  [
    'config.md#linux-mount-options/4',
    { mounts: [{ destination: '/m', source: '/tmp', options: ['rbind', 'ridmap'] }] },
    '/mounts/0',
  ],
  [
    'config.md#posix-platform-mounts/1',
    { mounts: [{ destination: '/m', source: '/tmp', options: ['bind'], uidMappings: [] }] },
    '/mounts/0',
  ],
  [
    'config.md#process/3',
    inProcess({ terminal: true, consoleSize: { height: 1 } }),
    '/process/consoleSize/width',
  ],
  ['config.md#process/4', inProcess({ cwd: undefined }), '/process/cwd'],
  ['config.md#process/5', inProcess({ cwd: 'tmp' }), '/process/cwd'],
  ['config.md#process/6', inProcess({ args: [] }), '/process/args'],
  ['config.md#posix-process/1', inProcess({ rlimits: [{ type: 'RLIMIT_CPU' }] }), '/soft'],
  ['config.md#posix-process/1', inProcess({ rlimits: [{ soft: 1, hard: 1 }] }), '/type'],
  [
    'config.md#posix-process/2',
    inProcess({ rlimits: [{ type: 'RLIMIT_X', soft: 1, hard: 1 }] }),
    '/process/rlimits/0/type',
  ],
  [
    'config.md#posix-process/6',
    inProcess({ rlimits: [1, 2].map((soft) => ({ type: 'RLIMIT_CPU', soft, hard: 2 })) }),
    '/process/rlimits/1',
  ],
  ['config.md#linux-process/4', inProcess({ scheduler: {} }), '/process/scheduler/policy'],
  [
    'config.md#linux-process/5',
    inProcess({ ioPriority: { class: 'IOPRIO_CLASS_BE' } }),
    '/process/ioPriority/priority',
  ],
  ['config.md#linux-process/5', inProcess({ ioPriority: { priority: 1 } }), '/class'],
  ['config.md#posix-platform-user/1', inProcess({ user: { uid: '0', gid: 0 } }), '/user/uid'],
  ['config.md#posix-platform-hooks/1', hook({}), '/hooks/poststop/0/path'],
  ['config.md#posix-platform-hooks/1', hook({ path: 'true' }), '/hooks/poststop/0/path'],
  ['config.md#posix-platform-hooks/2', hook({ path: '/bin/true', timeout: 0 }), '/timeout'],
  ['config.md#annotations/1', { annotations: ['a'] }, '/annotations'],
  ['config.md#annotations/2', { annotations: { '': 'a' } }, '/annotations'],
  ['config.md#annotations/3', { annotations: { a: 1 } }, '/annotations/a'],
  ['config.md#valid-values/1', { hostname: 1 }, '/hostname'],
  ['config-linux.md#namespaces/1', inLinux({ namespaces: [{}] }), '/linux/namespaces/0/type'],
  [
    'config-linux.md#namespaces/2',
    inLinux({ namespaces: [{ type: 'pid', path: 'x' }] }),
    '/linux/namespaces/0/path',
  ],
  [
    'config-linux.md#namespaces/7',
    inLinux({ namespaces: [{ type: 'pid' }, { type: 'pid' }] }),
    '/linux/namespaces/1',
  ],
  ...['containerID', 'hostID', 'size'].map(
    (field) =>
      [
        'config-linux.md#user-namespace-mappings/1',
        inLinux({
          namespaces: [{ type: 'user' }],
          uidMappings: [{ containerID: 0, hostID: 1, size: 1, [field]: undefined }],
          gidMappings: [{ containerID: 0, hostID: 1, size: 1 }],
        }),
        `/linux/uidMappings/0/${field}`,
      ] as const,
  ),
  ['config-linux.md#devices/2', device({ path: '/dev/x' }), '/linux/devices/0/type'],
  ['config-linux.md#devices/2', device({ type: 'p' }), '/linux/devices/0/path'],
  ['config-linux.md#devices/4', device({ path: '/dev/x', type: 'c', major: 1 }), '/minor'],
  [
    'config-linux.md#allowed-device-list/2',
    inResources({ devices: [{ access: 'r' }] }),
    '/devices/0/allow',
  ],
  ['config-linux.md#cpu/1', inResources({ cpu: { quota: 1000, burst: 1001 } }), '/cpu/burst'],
  [
    'config-linux.md#block-io/1',
    inResources({ blockIO: { weightDevice: [{ major: 8, weight: 10 }] } }),
    '/minor',
  ],
  [
    'config-linux.md#block-io/2',
    inResources({ blockIO: { weightDevice: [{ major: 8, minor: 0 }] } }),
    '/blockIO/weightDevice/0',
  ],
  [
    'config-linux.md#block-io/3',
    inResources({ blockIO: { throttleReadBpsDevice: [{ major: 8, minor: 0 }] } }),
    '/rate',
  ],
  [
    'config-linux.md#huge-page-limits/1',
    inResources({ hugepageLimits: [{ pageSize: '2MB' }] }),
    '/limit',
  ],
  ['config-linux.md#huge-page-limits/1', inResources({ hugepageLimits: [{ limit: 1 }] }), '/pageS'],
  [
    'config-linux.md#network/1',
    inResources({ network: { priorities: [{ name: 'eth0' }] } }),
    '/network/priorities/0/priority',
  ],
  [
    'config-linux.md#network/1',
    inResources({ network: { priorities: [{ priority: 1 }] } }),
    '/network/priorities/0/name',
  ],
  ['config-linux.md#rdma/1', inResources({ rdma: { mlx4_0: {} } }), '/rdma/mlx4_0'],
  ['config-linux.md#memory-policy/1', inLinux({ memoryPolicy: {} }), '/linux/memoryPolicy/mode'],
  ['config-linux.md#seccomp/1', inSeccomp({ defaultAction: undefined }), '/defaultAction'],
  ['config-linux.md#seccomp/2', inSeccomp({ defaultErrnoRet: 1 }), '.defaultErrnoRet'],
  ['config-linux.md#seccomp/7', inSeccomp({ listenerMetadata: 'x' }), '/listenerMetadata'],
  ['config-linux.md#seccomp/8', inSyscall({ names: [] }), '/linux/seccomp/syscalls/0/names'],
  ['config-linux.md#seccomp/9', inSyscall({ action: undefined }), '/syscalls/0/action'],
  ['config-linux.md#seccomp/10', inSyscall({ action: 'SCMP_ACT_ALLOW', errnoRet: 1 }), '.errnoRet'],
  ...(['index', 'value', 'op'] as const).map(
    (field) =>
      [
        'config-linux.md#seccomp/11',
        inSyscall({ args: [{ index: 0, value: 1, op: 'SCMP_CMP_EQ', [field]: undefined }] }),
        `/linux/seccomp/syscalls/0/args/0/${field}`,
      ] as const,
  ),
  ['config-linux.md#masked-paths/1', inLinux({ maskedPaths: ['x'] }), '/linux/maskedPaths/0'],
  ['config-linux.md#readonly-paths/1', inLinux({ readonlyPaths: ['x'] }), '/linux/readonlyPaths/0'],
  ['config-linux.md#personality/1', inLinux({ personality: {} }), '/linux/personality/domain'],
  ['config-linux.md#intelrdt/2', inLinux({ intelRdt: { closID: 'x' } }), 'linux.intelRdt'],
]

describe('tsrun refuses what is not in the form of the specification', () => {
  beforeAll(() => setUp('tsrun'))
  afterAll(tearDown)

  // Peers take many of these: runc 1.1 checks few fields, crun those of its schema.
  it.each(REFUSALS)('%s: %j', (_, fields, pointer) => {
    bundle.configure((config) => {
      const linux = 'linux' in fields ? { ...config.linux, ...Object(fields.linux) } : config.linux
      return { ...config, ...fields, linux } as RuntimeConfig
    })
    // What is created keeps standard output open: a pipe would not end.
    const args = ['create', '--bundle', bundle.directory, WRONG]
    const { status, log } = runtime.run(args, { stdio: 'ignore' })
    runtime.run(['delete', '--force', WRONG])
    expect({ status, message: log.join() }).toEqual({
      status: 1,
      message: expect.stringContaining(pointer),
    })
  })
})

describe.each(installedRuntimes())('%s', (name) => {
  beforeAll(() => setUp(name))
  afterAll(tearDown)
  const inside = (script: string, change: (config: RuntimeConfig) => RuntimeConfig): string => {
    const { stdout, stderr } = probe(runtime, bundle, script, { change })
    expect(stderr).toBe('')
    return stdout
  }

  it('the root is read-only when asked for [config.md#root/4]', () => {
    const read = (readonly: boolean): string =>
      inside('touch /x 2>/dev/null && echo writable || echo readonly', (config) => ({
        ...config,
        root: { path: 'rootfs', readonly },
      }))
    expect([read(true), read(false)]).toEqual(['readonly\n', 'writable\n'])
  })

  it('limits are those of the config [config.md#posix-process/3] [config.md#posix-process/4] [config.md#posix-process/5]', () => {
    const rlimits = [
      { type: 'RLIMIT_NOFILE', soft: 100, hard: 200 },
      { type: 'RLIMIT_NPROC', soft: 1000, hard: 1001 },
    ]
    const text = inside('grep -E "open files|processes" /proc/self/limits', (config) =>
      withProcess(config, { rlimits }),
    )
    expect(text).toMatch(/processes +1000 +1001 /)
    expect(text).toMatch(/open files +100 +200 /)
  })

  it('the OOM score is set, or left [config.md#linux-process/2] [config.md#linux-process/3]', () => {
    const score = 'cat /proc/self/oom_score_adj'
    const given = inside(score, (config) => withProcess(config, { oomScoreAdj: 321 }))
    const { oomScoreAdj: _none, ...rest } = { oomScoreAdj: 0, args: ['sh', '-c', score], cwd: '/' }
    const left = inside(score, (config) => ({
      ...config,
      process: { ...config.process, ...rest } as NonNullable<RuntimeConfig['process']>,
    }))
    expect([given, left]).toEqual(['321\n', readFileSync('/proc/self/oom_score_adj', 'utf8')])
  })

  it('what is unknown, or without a terminal a console size, is ignored [config.md#annotations/4] [config.md#extensibility/1] [config.md#process/2]', () => {
    const text = inside('echo fine', (config) => ({
      ...withProcess(config, { consoleSize: { height: 7, width: 7 } }),
      annotations: { 'org.opencontainers.unknown': 'x', 'com.example': '' },
      ...{ unknown: { field: 1 } },
    }))
    expect(text).toBe('fine\n')
  })

  it('a capability that is not there is a warning [config.md#linux-process/1]', () => {
    const all = ['CAP_CHOWN', 'CAP_NO_SUCH']
    const { status, stdout, log } = probe(runtime, bundle, 'echo on', {
      change: (config) => withProcess(config, { capabilities: { bounding: all } }),
    })
    expect({ status, stdout }).toEqual({ status: 0, stdout: 'on\n' })
    if (name !== 'crun') expect(log.join()).toMatch(/CAP_NO_SUCH/)
  })

  // Peers refuse it: EPERM.
  it.skipIf(name !== 'tsrun')(
    'a capability that the runtime itself does not have is a warning, for exec too [config.md#linux-process/1]',
    () => {
      const names = ['CAP_CHOWN', 'CAP_WAKE_ALARM']
      const capabilities = { bounding: names, permitted: names, effective: names }
      const show = ['/bin/grep', '-E', 'Cap(Prm|Eff|Bnd)', '/proc/self/status']
      const expected = /^CapPrm:\t0+1\nCapEff:\t0+1\nCapBnd:\t0+1\n$/
      const lacking = ['setpriv', '--bounding-set=-wake_alarm']
      const runLacking = (...args: readonly string[]) => {
        const [command = '', ...words] = [...lacking, ...runtime.commandLine(args)]
        const { stdout } = spawnSync(command, words, { encoding: 'utf8' })
        return { stdout, log: readFileSync(join(dirname(runtime.root), 'log.json'), 'utf8') }
      }
      bundle.configure((config) => withProcess(config, { args: show, capabilities }))
      const ran = runLacking('run', '--bundle', bundle.directory, LACKING)
      expect(ran.stdout).toMatch(expected)
      expect(ran.log).toContain('the process does not get CAP_WAKE_ALARM')

      const own = { bounding: ['CAP_CHOWN'] }
      bundle.configure((config) =>
        withProcess(config, { args: ['sleep', '1000'], capabilities: own }),
      )
      runtime.succeed(['run', '-d', '--bundle', bundle.directory, LACKING], { stdio: 'ignore' })
      const file = join(bundle.directory, 'process.json')
      writeFileSync(file, JSON.stringify({ cwd: '/', args: show, capabilities }))
      const executed = runLacking('exec', '--process', file, LACKING)
      expect(executed.stdout).toMatch(expected)
      expect(executed.log).toContain('the process does not get CAP_WAKE_ALARM')
      runtime.succeed(['delete', '--force', LACKING])
    },
  )

  // runc 1.1 hands `defaults` to the tmpfs, crun 1.8 `loud`: EINVAL.
  it.skipIf(name !== 'tsrun')(
    'every mount option that is a must is taken [config.md#linux-mount-options/1]',
    () => {
      const shown: Readonly<Record<string, RegExp>> = {
        nodev: /nodev/,
        noexec: /noexec/,
        nosuid: /nosuid/,
        noatime: /noatime/,
        nodiratime: /nodiratime/,
        relatime: /relatime/,
        ro: /^ro/,
        rw: /^rw/,
      }
      const plain =
        'async atime defaults dev diratime dirsync exec iversion lazytime loud noiversion nolazytime norelatime nostrictatime silent strictatime suid sync private rprivate shared rshared slave rslave unbindable runbindable'
      const options = [...Object.keys(shown), ...plain.split(' ')]
      const mounts = options.map((option) => ({
        destination: `/m/${option}`,
        type: 'tmpfs',
        source: 'tmpfs',
        options: [option],
      }))
      const { stdout, stderr } = probe(runtime, bundle, 'cat /proc/self/mountinfo', {
        mounts,
      })
      expect(stderr).toBe('')
      const flags = new Map(
        stdout.split('\n').flatMap((line) => {
          const [, , , , path = '', attributes = ''] = line.split(' ')
          return path.startsWith('/m/') ? [[path.slice(3), attributes] as const] : []
        }),
      )
      expect([...flags.keys()].sort()).toEqual(mounts.map((m) => m.destination.slice(3)).sort())
      for (const [option, pattern] of Object.entries(shown))
        expect(flags.get(option)).toMatch(pattern)
    },
  )

  it('bind, rbind and remount change what is there [config.md#linux-mount-options/1]', () => {
    const directory = mkdtempSync(join(tmpdir(), 'tsrun-bind-'))
    writeFileSync(join(directory, 'file'), 'seen')
    const { stdout } = probe(runtime, bundle, 'cat /a/file /b/file; touch /a/x || echo " ro"', {
      mounts: [
        bind(directory, '/a'),
        { destination: '/b', type: 'none', source: directory, options: ['rbind'] },
        { destination: '/a', type: 'none', source: directory, options: ['bind', 'remount', 'ro'] },
      ],
    })
    rmSync(directory, { recursive: true })
    expect(stdout).toBe('seenseen ro\n')
  })
})
