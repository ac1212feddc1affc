/** runtime-spec 1.3, runtime.md: the state, the life of a container and the five operations; peers run the same cases. */
import { spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { detectCgroups } from '../../src/cgroup/detect.ts'
import type { RuntimeConfig } from '../../src/oci/runtime-config.ts'
import { namesIn, readTextIfThere } from '../../src/util/if-there.ts'
import { bind } from '../support/mount-probe.ts'
import { holdNetwork } from '../support/network-namespace.ts'
import { installedRuntimes, makeRuntime, type Runtime } from '../support/runtime.ts'
import {
  type Bundle,
  makeBundle,
  withoutNamespace,
  withProcess,
} from '../support/runtime-bundle.ts'
import { uniqueId } from '../support/unique-id.ts'
import { until } from '../support/until.ts'

const ALL = uniqueId('all')
const CANNOT_ID = uniqueId('cannot')
const ENDED = uniqueId('ended')
const GONE = uniqueId('gone')
const HEARD = uniqueId('heard')
const IDLE = uniqueId('idle')
const LIFE = uniqueId('life')
const NOTHING = uniqueId('nothing')
const WHOLE = uniqueId('whole')
const WORDS = uniqueId('words')

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

/** As callers do: the container keeps standard output, so it must not be a pipe of the test. */
const create = (id: string): void => {
  runtime.succeed(['create', '--bundle', bundle.directory, id], { stdio: 'ignore' })
}
const isKnown = (id: string): boolean => runtime.run(['state', id]).status === 0
const remove = (id: string): void => {
  runtime.run(['delete', '--force', id])
}
const inNamespace = (pid: unknown, kind: string): string =>
  readlinkSync(`/proc/${String(pid)}/ns/${kind}`)

/** Throws unless `state` is a document of schema/state-schema.json. */
function expectSchema(state: Record<string, unknown>): void {
  expect(state).toMatchObject({
    ociVersion: expect.stringMatching(/^\d+\.\d+(\.\d+)?/),
    id: expect.any(String),
    status: expect.stringMatching(/^(creating|created|running|stopped)$/),
    bundle: expect.any(String),
  })
  expect(Number.isInteger(state.pid) && Number(state.pid) >= 0).toBe(true)
  for (const value of Object.values(state.annotations ?? {})) expect(value).toBeTypeOf('string')
}

describe.each(installedRuntimes())('%s', (name) => {
  beforeAll(() => setUp(name))
  afterAll(tearDown)

  describe('the state', () => {
    it('has its properties, whoever asks, at each moment [runtime.md#state/1] [runtime.md#state/2] [runtime.md#state/4] [runtime.md#state/6] [runtime.md#state/7] [runtime.md#state/8] [runtime.md#query-state/3]', async () => {
      bundle.configure((config) =>
        withProcess(
          { ...config, annotations: { 'org.example.key': 'value' } },
          {
            args: ['sleep', '1000'],
          },
        ),
      )
      const expectState = (status: string): void => {
        const state = runtime.state(LIFE)
        expectSchema(state)
        expect(state).toMatchObject({
          id: LIFE,
          status,
          bundle: bundle.directory,
          annotations: { 'org.example.key': 'value' },
        })
        expect(isAbsolute(String(state.bundle))).toBe(true)
        if (status !== 'stopped') expect(existsSync(`/proc/${state.pid}/ns`)).toBe(true)
      }
      runtime.succeed(['create', LIFE], { stdio: 'ignore', cwd: bundle.directory })
      expectState('created')
      runtime.succeed(['start', LIFE])
      expectState('running')
      runtime.succeed(['kill', LIFE, 'KILL'])
      await runtime.waitFor(LIFE, 'stopped')
      expectState('stopped')
      runtime.succeed(['delete', LIFE])
    })

    // crun 1.8 cannot pause without a cgroup manager.
    it.skipIf(name === 'crun')(
      'has another word for another state alone [runtime.md#state/5]',
      () => {
        bundle.command('sleep', '1000')
        create(WORDS)
        runtime.succeed(['start', WORDS])
        runtime.succeed(['pause', WORDS])
        expect(runtime.state(WORDS).status).toBe('paused')
        runtime.succeed(['resume', WORDS])
        expect(runtime.state(WORDS).status).toBe('running')
        remove(WORDS)
      },
    )
  })

  describe('the operations', () => {
    it('are all there for who created the container [runtime.md#scope-of-a-container/1] [runtime.md#operations/1]', async () => {
      bundle.command('sleep', '1000')
      create(ALL)
      expect(runtime.state(ALL).status).toBe('created')
      runtime.succeed(['start', ALL])
      runtime.succeed(['kill', ALL, 'KILL'])
      await runtime.waitFor(ALL, 'stopped')
      runtime.succeed(['delete', ALL])
      expect(isKnown(ALL)).toBe(false)
    })

    it.each([
      ['state', 'runtime.md#query-state/1'],
      ['start', 'runtime.md#start/1'],
      ['kill', 'runtime.md#kill/1'],
      ['delete', 'runtime.md#delete/1'],
      ['create', 'runtime.md#create/1'],
    ])('%s needs an id [%s]', (operation) => {
      bundle.command('true')
      const before = namesIn(runtime.root)
      expect(runtime.run([operation], { cwd: bundle.directory }).status).not.toBe(0)
      expect(namesIn(runtime.root)).toEqual(before)
    })

    it('create needs a bundle [runtime.md#create/1]', () => {
      const empty = mkdtempSync(join(tmpdir(), 'tsrun-empty-'))
      expect(runtime.run(['create', NOTHING], { cwd: empty }).status).not.toBe(0)
      expect(runtime.run(['create', '--bundle', empty, NOTHING]).status).not.toBe(0)
      expect(isKnown(NOTHING)).toBe(false)
      rmSync(empty, { recursive: true })
    })

    it('start needs a process [runtime.md#start/4] [config.md#process/1]', () => {
      bundle.configure(({ process: _none, ...config }) => config)
      // The peers refuse it as early as create.
      const created = runtime.run(['create', '--bundle', bundle.directory, IDLE], {
        stdio: 'ignore',
      })
      expect(created.status === 0).toBe(name === 'tsrun')
      const started = runtime.run(['start', IDLE])
      expect(started.status).not.toBe(0)
      if (name === 'tsrun') {
        expect(started.stderr).toContain('/process is required')
        expect(runtime.state(IDLE).status).toBe('created')
        expect(runtime.succeed(['exec', IDLE, '/bin/echo', 'inside'])).toBe('inside\n')
      }
      remove(IDLE)
    })

    it('kill does nothing to what is not there or has stopped [runtime.md#kill/2]', async () => {
      bundle.command('true')
      expect(runtime.run(['kill', 'nobody', 'KILL']).status).not.toBe(0)
      create(ENDED)
      runtime.succeed(['start', ENDED])
      await runtime.waitFor(ENDED, 'stopped')
      const before = runtime.state(ENDED)
      expect(runtime.run(['kill', ENDED, 'TERM']).status).not.toBe(0)
      expect(runtime.state(ENDED)).toEqual(before)
      runtime.succeed(['delete', ENDED])
    })

    it('kill sends the signal that it is given [runtime.md#kill/3]', async () => {
      const out = join(bundle.directory, 'signals')
      mkdirSync(out)
      const traps = ['USR1', 'USR2', 'HUP'].map(
        (signal) => `trap "echo ${signal} >> /out/log" ${signal}`,
      )
      bundle.configure((config) =>
        withProcess(
          { ...config, mounts: [...(config.mounts ?? []), bind(out, '/out')] },
          {
            args: [
              'sh',
              '-c',
              `${traps.join('; ')}; touch /out/ready; while :; do sleep 0.05; done`,
            ],
          },
        ),
      )
      create(HEARD)
      runtime.succeed(['start', HEARD])
      await until('it listens', () => existsSync(join(out, 'ready')))
      const heard: string[] = []
      for (const signal of ['USR1', 'USR2', 'HUP']) {
        runtime.succeed(['kill', HEARD, signal])
        heard.push(signal)
        const text = heard.map((line) => `${line}\n`).join('')
        await until(`it heard ${signal}`, () => readTextIfThere(join(out, 'log')) === text)
      }
      remove(HEARD)
      rmSync(out, { recursive: true })
    })
  })

  describe('create', () => {
    it('makes all that the config asks for but the program [runtime.md#lifecycle/1] [runtime.md#create/4]', () => {
      const cgroupsPath = `/tsrun-test-spec-${process.pid}`
      bundle.configure((config) => ({
        ...withProcess(config, { args: ['touch', '/ran'] }),
        hostname: 'applied',
        root: { path: 'rootfs', readonly: false },
        mounts: [...(config.mounts ?? []), { destination: '/data', type: 'tmpfs', source: 'data' }],
        annotations: { made: 'yes' },
        linux: {
          ...config.linux,
          cgroupsPath,
          sysctl: { 'net.ipv4.ip_default_ttl': '77' },
          devices: [{ path: '/dev/made', type: 'c', major: 1, minor: 3, fileMode: 0o600 }],
          readonlyPaths: ['/bin'],
          maskedPaths: ['/etc'],
        },
      }))
      create(WHOLE)
      const { pid, annotations } = runtime.state(WHOLE)
      const inside = (...args: readonly string[]): string =>
        succeed('nsenter', ['-t', String(pid), '--net', '--uts', '--mount', '--root', ...args])
      expect(inside('/bin/busybox', 'hostname')).toBe('applied\n')
      const mountinfo = readFileSync(`/proc/${pid}/mountinfo`, 'utf8')
      expect(mountinfo).toMatch(/ \/data .* tmpfs /)
      expect(mountinfo).toMatch(/ \/bin ro/)
      expect(mountinfo).toMatch(/ \/etc /)
      expect(inside('/bin/busybox', 'stat', '-c', '%t:%T %a', '/dev/made')).toBe('1:3 600\n')
      const ttl = inside('/bin/busybox', 'cat', '/proc/sys/net/ipv4/ip_default_ttl')
      expect(ttl).toBe('77\n')
      expect(annotations).toEqual({ made: 'yes' })
      if (name !== 'crun') {
        expect(readFileSync(`/proc/${pid}/cgroup`, 'utf8')).toContain(`0::${cgroupsPath}\n`)
      }
      expect(existsSync(join(bundle.rootfs, 'ran'))).toBe(false)
      remove(WHOLE)
    })

    const CANNOT: readonly (readonly [what: string, (config: RuntimeConfig) => RuntimeConfig])[] = [
      ['a mount without its source', (c) => ({ ...c, mounts: [bind('/nonexistent', '/x')] })],
      [
        'a file system that the kernel does not have',
        (c) => ({ ...c, mounts: [{ destination: '/x', type: 'nosuchfs', source: 'x' }] }),
      ],
      [
        'a kernel parameter that is not there',
        (c) => ({ ...c, linux: { ...c.linux, sysctl: { 'net.ipv4.no_such': '1' } } }),
      ],
      [
        'a namespace that is not there',
        (c) => {
          const { linux } = withoutNamespace(c, 'network')
          const joined = { type: 'network', path: '/proc/4194304/ns/net' } as const
          return { ...c, linux: { ...linux, namespaces: [...(linux?.namespaces ?? []), joined] } }
        },
      ],
      ['a hook that fails', (c) => ({ ...c, hooks: { createRuntime: [{ path: '/bin/false' }] } })],
    ]
    it.each(CANNOT)(
      'fails for %s, and leaves nothing [runtime.md#lifecycle/2] [runtime.md#create/6]',
      (_, change) => {
        const cgroupsPath = `/tsrun-test-spec-${process.pid}`
        bundle.configure((config) => {
          const { linux, ...rest } = change(config)
          return { ...rest, linux: { ...linux, cgroupsPath } }
        })
        const mounts = ownMounts()
        const files = readdirSync(bundle.directory)
        const { status } = runtime.run(['create', '--bundle', bundle.directory, CANNOT_ID], {
          stdio: 'ignore',
        })
        expect(status).not.toBe(0)
        expect(isKnown(CANNOT_ID)).toBe(false)
        expect(namesIn(runtime.root)).not.toContain(CANNOT_ID)
        expect(ownMounts()).toEqual(mounts)
        expect(readdirSync(bundle.directory)).toEqual(files)
        expect(existsSync(join(cgroup2(), cgroupsPath))).toBe(false)
      },
    )
  })

  describe('delete', () => {
    it('undoes create, and leaves what create found [runtime.md#lifecycle/16] [runtime.md#delete/3] [runtime.md#delete/4]', async () => {
      const host = join(bundle.directory, 'host')
      mkdirSync(host)
      writeFileSync(join(host, 'file'), 'kept')
      const parent = `/tsrun-test-spec-${process.pid}`
      mkdirSync(join(cgroup2(), parent))
      using holder = await holdNetwork()
      bundle.configure((config) => {
        const { linux } = withoutNamespace(config, 'network')
        const joined = { type: 'network', path: holder.path } as const
        return {
          ...withProcess(config, { args: ['sleep', '1000'] }),
          mounts: [...(config.mounts ?? []), bind(host, '/host')],
          linux: {
            ...linux,
            cgroupsPath: `${parent}/own`,
            namespaces: [...(linux?.namespaces ?? []), joined],
          },
        }
      })
      const network = readlinkSync(holder.path)
      const mounts = ownMounts()
      try {
        create(GONE)
        const { pid } = runtime.state(GONE)
        expect(inNamespace(pid, 'net')).toBe(network)
        runtime.succeed(['start', GONE])
        if (name !== 'crun') expect(existsSync(join(cgroup2(), parent, 'own'))).toBe(true)
        runtime.succeed(['kill', GONE, 'KILL'])
        await runtime.waitFor(GONE, 'stopped')
        runtime.succeed(['delete', GONE])

        expect(isKnown(GONE)).toBe(false)
        expect(namesIn(runtime.root)).not.toContain(GONE)
        expect(existsSync(join(cgroup2(), parent, 'own'))).toBe(false)
        expect(ownMounts()).toEqual(mounts)

        expect(existsSync(join(cgroup2(), parent))).toBe(true)
        expect(readlinkSync(holder.path)).toBe(network)
        expect(readFileSync(join(host, 'file'), 'utf8')).toBe('kept')
        expect(existsSync(join(bundle.rootfs, 'bin/busybox'))).toBe(true)
        expect(existsSync(join(bundle.directory, 'config.json'))).toBe(true)
        // The id is free again.
        create(GONE)
      } finally {
        remove(GONE)
        rmdirSync(join(cgroup2(), parent))
        rmSync(host, { recursive: true })
      }
    })
  })
})

/** Mounts of the host that have to do with this test: others may run beside it. */
function ownMounts(): readonly string[] {
  const places = [bundle.directory, runtime.root]
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => places.some((place) => line.includes(place)))
}

function cgroup2(): string {
  return detectCgroups()?.mountPoint ?? ''
}

function succeed(command: string, args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${status}: ${stderr}`)
  return stdout
}
