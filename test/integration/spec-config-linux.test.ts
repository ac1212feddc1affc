/** runtime-spec 1.3, config-linux.md: namespaces, the console, interfaces, cgroups; peers run the same cases. */
import { chmodSync, existsSync, mkdirSync, readFileSync, readlinkSync, rmdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { detectCgroups } from '../../src/cgroup/detect.ts'
import type { Linux, Namespace, Resources, RuntimeConfig } from '../../src/oci/runtime-config.ts'
import { listenForConsole, untilTerminalShows } from '../support/console-socket.ts'
import { inUserNamespace, probe } from '../support/mount-probe.ts'
import { holdNetwork } from '../support/network-namespace.ts'
import { installedRuntimes, makeRuntime, type Runtime } from '../support/runtime.ts'
import {
  type Bundle,
  makeBundle,
  withoutNamespace,
  withProcess,
} from '../support/runtime-bundle.ts'
import { until } from '../support/until.ts'

let bundle: Bundle
let runtime: Runtime

const setUp = (name: Runtime['name']): void => {
  bundle = makeBundle()
  // Root of a user namespace is nobody to the host: it must get through to the root filesystem.
  chmodSync(bundle.directory, 0o711)
  runtime = makeRuntime(name)
}
const tearDown = (): void => {
  runtime[Symbol.dispose]()
  bundle[Symbol.dispose]()
}

const withLinux =
  (fields: Partial<Linux>) =>
  (config: RuntimeConfig): RuntimeConfig => ({ ...config, linux: { ...config.linux, ...fields } })

const inside = (script: string, change: (config: RuntimeConfig) => RuntimeConfig): string => {
  const { stdout, stderr } = probe(runtime, bundle, script, { change })
  expect(stderr).toBe('')
  return stdout
}

const FILES = {
  pid: 'pid',
  network: 'net',
  mount: 'mnt',
  ipc: 'ipc',
  uts: 'uts',
  user: 'user',
  cgroup: 'cgroup',
  time: 'time',
} as const
const SHOW = `cd /proc/self/ns; for file in ${Object.values(FILES).join(' ')}; do readlink $file; done`

/** The namespaces that a script of SHOW found, by file name. */
const shown = (text: string): Readonly<Record<string, string>> =>
  Object.fromEntries(
    text
      .trim()
      .split('\n')
      .map((line) => [line.split(':')[0], line]),
  )

const CGROUP = `/tsrun-test-spec-linux-${process.pid}`
const cgroup2 = (): string => detectCgroups()?.mountPoint ?? ''

describe.each(installedRuntimes())('%s', (name) => {
  beforeAll(() => setUp(name))
  afterAll(tearDown)

  describe('namespaces', () => {
    const ours = shown(
      Object.values(FILES)
        .map((file) => readlinkSync(`/proc/self/ns/${file}`))
        .join('\n'),
    )
    // runc 1.1 and crun 1.8 of Debian 12: time came later, to runc at least.
    const types = (Object.keys(FILES) as (keyof typeof FILES)[]).filter(
      (type) => type !== 'time' || name === 'tsrun',
    )

    it.each(types)(
      '%s: a new one is made without a path [config-linux.md#namespaces/5]',
      (type) => {
        const namespaces = [...new Set(['mount', type] as const)].map((kind) => ({ type: kind }))
        const text = inside(SHOW, (config) => {
          if (type === 'user') return inUserNamespace(config)
          const { hostname: _needsUts, ...rest } = withLinux({ namespaces })(config)
          return rest
        })
        const file = FILES[type]
        expect(shown(text)[file]).toMatch(new RegExp(`^${file}:`))
        expect(shown(text)[file]).not.toBe(ours[file])
      },
    )

    it('of types that are not listed are inherited [config-linux.md#namespaces/6]', () => {
      const text = inside(SHOW, (config) => {
        const { hostname: _needsUts, ...rest } = config
        return withLinux({ namespaces: [{ type: 'mount' }] })(rest)
      })
      expect({ ...shown(text), mnt: '' }).toEqual({ ...ours, mnt: '' })
    })
  })

  it('binds the terminal to /dev/console [config-linux.md#default-devices/2]', async () => {
    using socket = listenForConsole()
    const script = `stat -c 'tty %t:%T' "$(tty)"; stat -c 'console %t:%T' /dev/console
      grep -o ' /dev/console .* devpts ' /proc/self/mountinfo; echo done; exec sleep 1000`
    bundle.configure((config) =>
      withProcess(config, { args: ['sh', '-c', script], terminal: true }),
    )
    runtime.succeed(
      ['run', '-d', '--console-socket', socket.path, '--bundle', bundle.directory, 'console'],
      { stdio: 'ignore' },
    )
    const { master } = socket.accept()
    const text = await untilTerminalShows(master, 'done')
    master.destroy()
    const [, number] = /tty (\d+:\d+)/.exec(text) ?? []
    expect(number).toBeDefined()
    expect(text).toContain(`console ${number}`)
    expect(text).toMatch(/ \/dev\/console .* devpts /)
    runtime.succeed(['delete', '--force', 'console'])
    expect(inside('test -e /dev/console && echo there || echo none', (config) => config)).toBe(
      'none\n',
    )
  })

  // crun is run without a cgroup manager.
  describe.skipIf(name === 'crun')('cgroupsPath', () => {
    /** The cgroup of a container with this path, as the host sees it. */
    const cgroupOf = (cgroupsPath: string, enter?: string): string => {
      bundle.configure((config) =>
        withProcess(withLinux({ cgroupsPath })(withoutNamespace(config, 'cgroup')), {
          args: ['grep', '-o', '^0::.*', '/proc/self/cgroup'],
        }),
      )
      const before = enter === undefined ? ':' : `echo $$ > ${enter}/cgroup.procs`
      const { stdout, stderr } = runtime.run(['run', '--bundle', bundle.directory, 'cgrouped'], {
        mountNamespace: { before },
      })
      expect(stderr).toBe('')
      return stdout.trim().slice('0::'.length)
    }

    it('is absolute from the mount point on, or relative [config-linux.md#cgroups-path/1] [config-linux.md#cgroups-path/2]', () => {
      expect(cgroupOf(CGROUP)).toBe(CGROUP)
      expect(cgroupOf(`${CGROUP}/a/b`)).toBe(`${CGROUP}/a/b`)
      rmdirSync(join(cgroup2(), CGROUP, 'a'))
      rmdirSync(join(cgroup2(), CGROUP))
      expect(cgroupOf(CGROUP.slice(1))).toMatch(new RegExp(`^/(.*/)?${CGROUP.slice(1)}$`))
    })

    it('leads to the same place each time, wherever the caller is [config-linux.md#cgroups-path/3]', () => {
      const elsewhere = join(cgroup2(), `${CGROUP}-caller`)
      mkdirSync(join(elsewhere, 'in'), { recursive: true })
      try {
        for (const path of [`${CGROUP}-x`, `${CGROUP.slice(1)}-x`]) {
          const first = cgroupOf(path)
          expect(cgroupOf(path)).toBe(first)
          // runc takes a relative path from above the caller's cgroup.
          if (name === 'tsrun' || path.startsWith('/'))
            expect(cgroupOf(path, join('/sys/fs/cgroup', `${CGROUP}-caller/in`))).toBe(first)
        }
      } finally {
        rmdirSync(join(elsewhere, 'in'))
        rmdirSync(elsewhere)
      }
    })
  })

  it.skipIf(name === 'crun')(
    'a file of `unified` that no field stands for is written [config-linux.md#unified/2]',
    () => {
      const unified = { 'cgroup.max.descendants': '7' }
      bundle.configure((config) =>
        withProcess(withLinux({ cgroupsPath: CGROUP, resources: { unified } })(config), {
          args: ['true'],
        }),
      )
      runtime.succeed(['create', '--bundle', bundle.directory, 'unified'], { stdio: 'ignore' })
      const file = join(cgroup2(), CGROUP, 'cgroup.max.descendants')
      expect(readFileSync(file, 'utf8')).toBe('7\n')
      runtime.succeed(['delete', '--force', 'unified'])
    },
  )

  it.skipIf(name === 'crun').each([
    ['a controller that is not there', { unified: { 'nothing.max': '1' } }, /nothing/, 'unified/3'],
    ['a setting of v1 alone', { network: { classID: 7 } }, /network\.classID/, 'unified/4'],
    ['another', { cpu: { realtimeRuntime: 1000 } }, /realtimeRuntime/, 'unified/4'],
  ])(
    '%s is an error: %j [config-linux.md#unified/3] [config-linux.md#unified/4]',
    (_, resources, message, clause) => {
      bundle.configure(withLinux({ cgroupsPath: CGROUP, resources: resources as Resources }))
      const { status, log } = runtime.run(['create', '--bundle', bundle.directory, 'limits'], {
        stdio: 'ignore',
      })
      runtime.run(['delete', '--force', 'limits'])
      // runc 1.1 leaves out what v2 does not have.
      if (name === 'runc' && clause === 'unified/4') return
      expect(status).not.toBe(0)
      if (name === 'tsrun') expect(log.join()).toMatch(message)
      expect(existsSync(join(cgroup2(), CGROUP))).toBe(false)
    },
  )
})

describe('tsrun', () => {
  beforeAll(() => setUp('tsrun'))
  afterAll(tearDown)

  it.each([
    ['the root, where everybody is', '/', 'root of the hierarchy'],
    ['what comes out at the root', '/a/../..', 'root of the hierarchy'],
    ['no path', '/a\0b', 'NUL byte'],
  ])('refuses %s as cgroupsPath [config-linux.md#cgroups-path/4]', (_, cgroupsPath, message) => {
    bundle.configure(withLinux({ cgroupsPath }))
    const args = ['create', '--bundle', bundle.directory, 'nowhere']
    const { status, log } = runtime.run(args, { stdio: 'ignore' })
    expect(status).toBe(1)
    expect(log.join()).toContain(message)
  })

  // On a hybrid host v2 has few controllers, and which they are differs.
  const SETTINGS: readonly (readonly [controller: string, file: string, value: string])[] = [
    ['hugetlb', 'hugetlb.2MB.max', '4194304'],
    ['pids', 'pids.max', '77'],
    ['memory', 'memory.low', '4096'],
    ['cpu', 'cpu.weight', '7'],
  ]
  const available = readFileSync(join(cgroup2(), 'cgroup.controllers'), 'utf8').trim().split(' ')
  const setting = SETTINGS.find(([controller]) => available.includes(controller))

  it.skipIf(setting === undefined)(
    'enables the controllers that `unified` needs, all the way down [config-linux.md#unified/1]',
    () => {
      const [controller = '', file = '', value = ''] = setting ?? []
      bundle.configure(
        withLinux({ cgroupsPath: `${CGROUP}/a/b`, resources: { unified: { [file]: value } } }),
      )
      runtime.succeed(['create', '--bundle', bundle.directory, 'enabled'], { stdio: 'ignore' })
      const own = join(cgroup2(), CGROUP, 'a/b')
      for (const above of [dirname(own), dirname(dirname(own))])
        expect(readFileSync(join(above, 'cgroup.subtree_control'), 'utf8')).toContain(controller)
      expect(readFileSync(join(own, file), 'utf8')).toBe(`${value}\n`)
      runtime.succeed(['delete', '--force', 'enabled'])
      rmdirSync(dirname(own))
      rmdirSync(dirname(dirname(own)))
    },
  )

  describe('an interface that moved into the container', () => {
    it('is left as the container configures it, and where it is when the container goes [config-linux.md#namespace-lifecycle-and-container-termination/1] [config-linux.md#namespace-lifecycle-and-container-termination/2]', async () => {
      using host = await holdNetwork(
        'ip link add spec0 type veth peer name spec1; ip link set spec1 up; ip addr add 10.78.0.2/24 dev spec0',
      )
      using joined = await holdNetwork()
      const network: Namespace = { type: 'network', path: joined.path }
      const capabilities = ['CAP_NET_ADMIN', 'CAP_KILL']
      const script = `ip link set moved down mtu 1280; ip addr flush dev moved
        ip addr add 10.79.0.9/24 dev moved; exec sleep 1000`
      bundle.configure((config) => {
        const { linux } = withoutNamespace(config, 'network')
        return withProcess(
          {
            ...config,
            linux: {
              ...linux,
              namespaces: [...(linux?.namespaces ?? []), network],
              netDevices: { spec0: { name: 'moved' } },
            },
          },
          {
            args: ['sh', '-c', script],
            capabilities: {
              bounding: capabilities,
              permitted: capabilities,
              effective: capabilities,
            },
          },
        )
      })
      const oci = (...args: readonly string[]): void => {
        host.succeed(runtime.commandLine(args), { stdio: 'ignore' })
      }
      oci('run', '-d', '--bundle', bundle.directory, 'devices')
      const look = (): string => joined.succeed(['ip', '-o', 'addr', 'show', 'dev', 'moved'])
      const link = (): string => joined.succeed(['ip', '-o', 'link', 'show', 'dev', 'moved'])
      await until(
        'the container has configured it',
        () => link().includes('mtu 1280') && look().includes('10.79.0.9'),
      )
      const configured = [look(), link()]
      expect(configured[0]).toContain('10.79.0.9/24')
      expect(configured[0]).not.toContain('10.78.0.2')
      expect(configured[1]).toContain('mtu 1280')

      oci('pause', 'devices')
      oci('resume', 'devices')
      oci('exec', 'devices', 'true')
      expect([look(), link()]).toEqual(configured)
      oci('delete', '--force', 'devices')
      expect([look(), link()]).toEqual(configured)
      expect(host.succeed(['ip', '-o', 'link'])).not.toContain('spec0')
    })
  })
})
