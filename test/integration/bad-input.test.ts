/** Bad input to the runtime: one sentence that names the object and the cause, and nothing left behind. */
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { detectCgroups } from '../../src/cgroup/detect.ts'
import type { RuntimeConfig } from '../../src/oci/runtime-config.ts'
import { makeRuntime, type Runtime } from '../support/runtime.ts'
import { type Bundle, makeBundle, withProcess } from '../support/runtime-bundle.ts'
import { uniqueId } from '../support/unique-id.ts'

const ID = uniqueId('bad')
const FOREIGN = `/${uniqueId('tsrun-foreign')}`
const FROZEN = `/${uniqueId('tsrun-frozen')}`

let bundle: Bundle
let runtime: Runtime

beforeEach(() => {
  bundle = makeBundle()
  runtime = makeRuntime()
})
afterEach(() => {
  runtime[Symbol.dispose]()
  bundle[Symbol.dispose]()
})

/** Runs `create` and expects it to fail with one error line that has `parts`. */
function refuse(...parts: readonly string[]): void {
  const result = runtime.run(['create', '--bundle', bundle.directory, ID])
  expect(result.status).toBe(1)
  expect(result.stdout).toBe('')
  expect(result.log).toHaveLength(1)
  const { level, msg } = JSON.parse(result.log[0] ?? '')
  expect(level).toBe('error')
  expect(msg).not.toContain('\n')
  for (const part of parts) expect(msg).toContain(part)
  expect(result.stderr.trimEnd().split('\n')).toHaveLength(1)
  expect(existsSync(runtime.root) ? readdirSync(runtime.root) : []).toEqual([])
  const cgroup = join(detectCgroups()?.mountPoint ?? '/nonexistent', 'tsrun', ID)
  expect(existsSync(cgroup)).toBe(false)
}

const configure = (change: (config: RuntimeConfig) => unknown): void =>
  writeFileSync(
    join(bundle.directory, 'config.json'),
    JSON.stringify(
      change(withProcess({ ociVersion: '1.0.0', root: { path: 'rootfs' } }, { args: ['true'] })),
    ),
  )

const fifo = (path: string) => ({ path, type: 'p' as const })
const tmpfs = (destination: string) => ({ destination, type: 'tmpfs', source: 'tmpfs' })

describe('create() refuses', () => {
  it('a missing bundle', () => {
    rmSync(bundle.directory, { recursive: true })
    refuse(bundle.directory, 'not found')
  })

  it('a config.json that is not JSON', () => {
    writeFileSync(join(bundle.directory, 'config.json'), '{"ociVersion": ')
    refuse('config.json', 'not JSON')
  })

  it('a wrong type, by JSON pointer', () => {
    configure((config) => ({ ...config, mounts: [{ destination: 7 }] }))
    refuse('/mounts/0/destination', 'must be a string')
  })

  it('a config.json of 300,000 levels', () => {
    const deep = `${'['.repeat(300_000)}${']'.repeat(300_000)}`
    writeFileSync(join(bundle.directory, 'config.json'), `{"ociVersion": "1.0.0", "x": ${deep}}`)
    refuse('config.json', 'nested too deeply')
  })

  // Each costs the runtime a multiple of what it costs the writer: told before the work is done.
  it.each<[string, (paths: string[]) => Partial<RuntimeConfig>]>([
    ['linux/maskedPaths', (paths) => ({ linux: { maskedPaths: paths } })],
    ['linux/readonlyPaths', (paths) => ({ linux: { readonlyPaths: paths } })],
    ['linux/devices', (paths) => ({ linux: { devices: paths.map((path) => fifo(path)) } })],
    ['mounts', (paths) => ({ mounts: paths.map((destination) => tmpfs(destination)) })],
  ])('300,000 entries of %s', (pointer, change) => {
    const paths = Array.from({ length: 300_000 }, (_, i) => `/a${i}`)
    bundle.configure((config) => {
      const { linux, ...rest } = change(paths)
      return { ...config, ...rest, linux: { ...config.linux, ...linux } }
    })
    refuse(`cannot compile /${pointer}/`, 'has room for', 'hint: ')
  })

  it('a version that it does not know', () => {
    configure((config) => ({ ...config, ociVersion: '2.0.0' }))
    refuse('/ociVersion', '2.0.0')
  })

  it('what it does not do, by name', () => {
    configure((config) => Object.assign({}, config, { vm: {}, zos: {} }))
    refuse('unsupported: vm, zos')
  })

  it('a root filesystem that is not there [config.md#root/3]', () => {
    bundle.configure((config) => ({ ...config, root: { path: 'elsewhere' } }))
    refuse('rootfs', join(bundle.directory, 'elsewhere'))
  })

  it('a bind source that is not there, by its mount', () => {
    bundle.configure((config) => ({
      ...config,
      mounts: [
        ...(config.mounts ?? []),
        { destination: '/mnt', type: 'bind', source: '/nonexistent/source', options: ['bind'] },
      ],
    }))
    refuse('mounts[7] (/mnt)', 'ENOENT')
  })

  it.each([
    ['missing from $PATH', ['nope'], 'exec: "nope": executable file not found in $PATH'],
    ['missing', ['/nope'], 'exec: "/nope": stat /nope: no such file or directory'],
    ['not executable', ['/etc/passwd'], 'exec: "/etc/passwd": permission denied'],
    ['a directory', ['/bin'], 'exec: "/bin": permission denied'],
  ])('a program that is %s', (_, args, text) => {
    bundle.command(...args)
    refuse(`unable to start container process: ${text}`)
  })

  it.each([
    ['in', FOREIGN, FOREIGN],
    ['below', FOREIGN, `${FOREIGN}/below`],
  ])(
    'a cgroup that somebody else is %s, and leaves them alone [config-linux.md#control-groups/1]',
    async (_, cgroupsPath, path) => {
      const mountPoint = detectCgroups()?.mountPoint ?? ''
      const foreign = join(mountPoint, path)
      mkdirSync(foreign, { recursive: true })
      const sleeper = spawn('sleep', ['1000'], { stdio: 'ignore' })
      const ended = new Promise((resolve) => sleeper.on('exit', resolve))
      try {
        writeFileSync(join(foreign, 'cgroup.procs'), String(sleeper.pid))
        bundle.configure((config) => ({
          ...config,
          linux: { ...config.linux, cgroupsPath },
        }))
        refuse('not empty', join(mountPoint, cgroupsPath))
        expect(sleeper.exitCode).toBeNull()
      } finally {
        sleeper.kill('SIGKILL')
        await ended
        for (const directory of new Set([foreign, join(mountPoint, cgroupsPath)]))
          rmdirSync(directory)
      }
    },
  )

  it('a cgroup that is frozen, where init would never begin', () => {
    const frozen = join(detectCgroups()?.mountPoint ?? '', FROZEN)
    mkdirSync(frozen)
    try {
      writeFileSync(join(frozen, 'cgroup.freeze'), '1')
      for (const cgroupsPath of [FROZEN, `${FROZEN}/below`]) {
        bundle.configure((config) => ({ ...config, linux: { ...config.linux, cgroupsPath } }))
        refuse("container's cgroup unexpectedly frozen", cgroupsPath)
      }
    } finally {
      rmdirSync(frozen)
    }
  })

  it('the root of the cgroup hierarchy, whose device rules would be the rules of the host', () => {
    for (const cgroupsPath of ['/', '/a/..', '/../..']) {
      bundle.configure((config) => ({ ...config, linux: { ...config.linux, cgroupsPath } }))
      refuse('it is the root of the hierarchy')
    }
  })

  it('an id with a path in it', () => {
    for (const id of ['../up', 'a/b', '.', '..', '', 'a\nb']) {
      const result = runtime.run(['create', '--bundle', bundle.directory, id])
      expect(result.status, id).toBe(1)
    }
    expect(existsSync(runtime.root) ? readdirSync(runtime.root) : []).toEqual([])
  })

  it.skipIf(detectCgroups()?.v1Controllers.has('memory') !== true)(
    'a limit whose controller cgroup v1 has, and says where',
    () => {
      bundle.configure((config) => ({
        ...config,
        linux: { ...config.linux, resources: { memory: { limit: 1 << 26 } } },
      }))
      refuse('memory controller', '/sys/fs/cgroup/memory', 'hint: ')
    },
  )
})
