/** Bind mounts: what they show, in which order, and what of the host they keep; peers run the same cases. */
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { RuntimeConfig } from '../../src/oci/runtime-config.ts'
import { bind, inUserNamespace, probe, tmpfs } from '../support/mount-probe.ts'
import {
  type CommandResult,
  installedRuntimes,
  makeRuntime,
  type Runtime,
} from '../support/runtime.ts'
import { type Bundle, makeBundle } from '../support/runtime-bundle.ts'

let bundle: Bundle
let runtime: Runtime
let host: string

function setUp(name: Runtime['name']): void {
  bundle = makeBundle()
  runtime = makeRuntime(name)
  // Root of a user namespace is nobody to the host: it must get through to the root filesystem.
  chmodSync(bundle.directory, 0o711)
  host = join(bundle.directory, 'host')
  mkdirSync(host)
}
afterEach(() => {
  runtime[Symbol.dispose]()
  bundle[Symbol.dispose]()
})

const mountOf = (destination: string): string =>
  `awk '$5 == "${destination}" { print $6 }' /proc/self/mountinfo`

describe.each(installedRuntimes())('%s', (name) => {
  beforeEach(() => setUp(name))

  it('shows a directory, and what the container writes is there', () => {
    writeFileSync(join(host, 'in'), 'from the host\n')
    const result = probe(runtime, bundle, 'cat /data/in; echo hi >/data/out', {
      mounts: [bind(host, '/data')],
    })
    expect(result).toMatchObject({ status: 0, stdout: 'from the host\n' })
    expect(readFileSync(join(host, 'out'), 'utf8')).toBe('hi\n')
  })

  it('makes missing destinations: a directory for a directory, an empty file for all else', async () => {
    writeFileSync(join(host, 'file'), 'file\n')
    spawnSync('mkfifo', [join(host, 'fifo')])
    const server = createServer().listen(join(host, 'socket'))
    await once(server, 'listening')
    const script = 'stat -c %F /new/dir /new/file /new/deep/fifo /new/socket /new/null'
    const result = probe(runtime, bundle, script, {
      mounts: [
        bind(host, '/new/dir'),
        bind(join(host, 'file'), '/new/file'),
        bind(join(host, 'fifo'), '/new/deep/fifo'),
        bind(join(host, 'socket'), '/new/socket'),
        bind('/dev/null', '/new/null'),
      ],
    })
    server.close()
    expect(result.stderr).toBe('')
    expect(result.stdout).toBe('directory\nregular file\nfifo\nsocket\ncharacter special file\n')
    expect(statSync(join(bundle.rootfs, 'new/deep/fifo')).isFile()).toBe(true)
    expect(readdirSync(join(bundle.rootfs, 'new/dir'))).toEqual([])
  })

  it('takes a relative source from the bundle, and follows a source that is a link', () => {
    writeFileSync(join(host, 'file'), 'text\n')
    symlinkSync(join(host, 'file'), join(host, 'link'))
    const result = probe(runtime, bundle, 'cat /a /b', {
      mounts: [bind('host/file', '/a'), bind(join(host, 'link'), '/b')],
    })
    expect(result.stdout).toBe('text\ntext\n')
  })

  it('takes a relative destination from / [config.md#mounts/3]', () => {
    const result = probe(runtime, bundle, mountOf('/data'), { mounts: [bind(host, 'data', 'ro')] })
    expect(result.stdout).toMatch(/^ro/)
  })

  it('mounts in the listed order: over and inside what is there [config.md#mounts/1]', () => {
    for (const part of ['a', 'b', 'c']) {
      mkdirSync(join(host, part, 'x'), { recursive: true })
      writeFileSync(join(host, part, 'name'), part)
    }
    const result = probe(runtime, bundle, 'cat /m/name /m/x/name /m/x/t/name', {
      mounts: [
        bind(join(host, 'c'), '/m'),
        bind(join(host, 'a'), '/m'),
        bind(join(host, 'b'), '/m/x'),
        tmpfs('/m/x/t'),
        bind(join(host, 'c/name'), '/m/x/t/name'),
      ],
    })
    expect(result.stdout).toBe('abc')
  })

  it('a source inside the root filesystem shows what is mounted there before', () => {
    writeFileSync(join(host, 'name'), 'early')
    const result = probe(runtime, bundle, 'cat /second/name', {
      mounts: [bind(host, '/first'), bind(join(bundle.rootfs, 'first'), '/second')],
    })
    expect(result.stdout).toBe('early')
  })

  it('rbind brings the mounts below along, bind does not', () => {
    const result = probe(runtime, bundle, 'ls /flat/below /deep/below', {
      mounts: [bind(host, '/flat'), { destination: '/deep', source: host, options: ['rbind'] }],
      options: {
        mountNamespace: {
          before: `mkdir ${host}/below; mount -t tmpfs t ${host}/below; touch ${host}/below/file`,
        },
      },
    })
    expect(result.stdout).toBe('/deep/below:\nfile\n\n/flat/below:\n')
  })

  it('keeps the locks of the host in a user namespace', () => {
    const script = `mount -o remount,bind,rw,dev,suid /data; ${mountOf('/data')}; touch /data/x; echo end`
    const result = probe(runtime, bundle, script, {
      mounts: [bind(host, '/data')],
      capabilities: ['CAP_SYS_ADMIN'],
      change: inUserNamespace,
      options: {
        mountNamespace: {
          before: `mount -t tmpfs -o mode=777 t ${host}; mount -o remount,bind,ro,nosuid,nodev ${host}; mkdir ${bundle.rootfs}/data`,
        },
      },
    })
    // crun 1.8 lets go of them.
    if (name === 'crun') return
    expect(result.stdout).toMatch(/^ro,nosuid,nodev/)
    expect(result.stderr).toMatch(/Read-only file system/)
    expect(result.stdout).toMatch(/end\n$/)
  })

  const attributesOf = (
    source: string,
    options: readonly string[],
    change: (config: RuntimeConfig) => RuntimeConfig = (config) => config,
  ): CommandResult => {
    const before = `mount -t tmpfs -o mode=777 t ${host}; mount -o remount,bind,${source} ${host}; mkdir -p ${bundle.rootfs}/data`
    return probe(runtime, bundle, mountOf('/data'), {
      mounts: [bind(host, '/data', ...options)],
      change,
      options: { mountNamespace: { before } },
    })
  }

  const setsAll = 'a mount of a %s source with %j is %s: one attribute sets all'
  it.each([
    ['ro,noexec', ['nosuid'], 'rw,nosuid,relatime'],
    ['nosuid,nodev,noexec,noatime', ['ro'], 'ro,noatime'],
    ['noatime', ['relatime'], 'rw,relatime'],
    ['noatime', ['nodiratime'], 'rw,nodiratime,relatime'],
    ['noatime,nodiratime', ['strictatime'], 'rw'],
  ])(setsAll, (source, options, expected) => {
    expect(attributesOf(source, options).stdout).toBe(`${expected}\n`)
  })

  // crun 1.8 clears them without being asked too, and its `exec` lifts nothing.
  it.skipIf(name === 'crun').each([
    ['ro,noexec,noatime', [], 'ro,noexec,noatime'],
    ['ro,noexec,noatime', ['rprivate'], 'ro,noexec,noatime'],
    ['nosuid,nodev,noexec', ['noexec', 'exec', 'ro'], 'ro,relatime'],
  ])(setsAll, (source, options, expected) => {
    expect(attributesOf(source, options).stdout).toBe(`${expected}\n`)
  })

  // runc since 1.2; before, options that only lift change nothing.
  it.skipIf(name !== 'tsrun').each([
    ['ro,noexec', ['dev'], 'rw,relatime'],
    ['ro,noexec,noatime', ['rw', 'atime'], 'rw,noatime'],
    ['noatime,nodiratime', ['diratime'], 'rw,noatime,nodiratime'],
  ])('a mount of a %s source with %j, which lift, is %s', (source, options, expected) => {
    expect(attributesOf(source, options).stdout).toBe(`${expected}\n`)
  })

  // runc since 1.2; before, it is an error.
  it.skipIf(name !== 'tsrun').each([
    ['rw,nosuid,nodev,noexec,noatime', ['ro'], 'ro,nosuid,nodev,noexec,noatime'],
    ['ro,noexec', ['nosuid', 'nodev'], 'ro,nosuid,nodev,noexec,relatime'],
  ])(
    'in a user namespace, a mount of a %s source with %j keeps what the host has locked: %s',
    (source, options, expected) => {
      const { stdout } = attributesOf(source, options, inUserNamespace)
      expect(stdout).toBe(`${expected}\n`)
    },
  )

  it.skipIf(name !== 'tsrun').each([
    ['ro', ['rw']],
    ['nosuid', ['suid']],
    ['relatime', ['strictatime']],
    ['noatime', ['relatime']],
  ])('in a user namespace, a mount of a %s source with %j is an error', (source, options) => {
    const { status, stderr } = attributesOf(source, options, inUserNamespace)
    expect(status).not.toBe(0)
    expect(stderr).toMatch(/\(\/data\).*EPERM \(operation not permitted\)/)
  })

  it('reaches a source that root of the user namespace does not', () => {
    mkdirSync(join(host, 'private/deep'), { recursive: true })
    mkdirSync(join(bundle.rootfs, 'data'))
    writeFileSync(join(host, 'private/deep/name'), 'reached')
    chmodSync(join(host, 'private'), 0o700)
    const result = probe(runtime, bundle, 'cat /data/name', {
      mounts: [bind(join(host, 'private/deep'), '/data', 'ro')],
      change: inUserNamespace,
    })
    expect(result.stdout).toBe('reached')
  })
})
