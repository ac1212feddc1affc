/** linux.devices and what every /dev has; peers run the same cases. */
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Device, RuntimeConfig } from '../../src/oci/runtime-config.ts'
import { inUserNamespace, probe } from '../support/mount-probe.ts'
import { installedRuntimes, makeRuntime, type Runtime, TSRUN } from '../support/runtime.ts'
import { type Bundle, makeBundle } from '../support/runtime-bundle.ts'
import { uniqueId } from '../support/unique-id.ts'

const ID = uniqueId('devices')

let bundle: Bundle
let runtime: Runtime

function setUp(name: Runtime['name']): void {
  bundle = makeBundle()
  runtime = makeRuntime(name)
  chmodSync(bundle.directory, 0o711)
}
afterEach(() => {
  runtime[Symbol.dispose]()
  bundle[Symbol.dispose]()
})

const FULL: Device = { path: '/dev/mine', type: 'c', major: 1, minor: 7, fileMode: 0o640, gid: 5 }

const withDevices =
  (...devices: readonly Device[]) =>
  (config: RuntimeConfig): RuntimeConfig => ({
    ...config,
    linux: {
      ...config.linux,
      devices,
      resources: { devices: [{ allow: true, access: 'rwm' }] },
    },
  })

const withoutDevMount = (config: RuntimeConfig): RuntimeConfig => ({
  ...config,
  mounts: (config.mounts ?? []).filter(({ destination }) => destination !== '/dev'),
})

describe.each(installedRuntimes())('%s', (name) => {
  beforeEach(() => setUp(name))

  it('makes the default devices and links [config-linux.md#default-devices/1] [runtime-linux.md#dev-symbolic-links/1]', () => {
    const script = [
      'cd /dev; stat -c "%n %a %t:%T" null zero full random urandom tty',
      'for l in fd stdin stdout stderr ptmx; do echo $l $(readlink $l); done',
    ].join('; ')
    expect(probe(runtime, bundle, script).stdout.split('\n')).toEqual([
      'null 666 1:3',
      'zero 666 1:5',
      'full 666 1:7',
      'random 666 1:8',
      'urandom 666 1:9',
      'tty 666 5:0',
      'fd /proc/self/fd',
      'stdin /proc/self/fd/0',
      'stdout /proc/self/fd/1',
      'stderr /proc/self/fd/2',
      'ptmx pts/ptmx',
      '',
    ])
  })

  it('makes devices with their numbers, modes and owners, and fifos [config-linux.md#devices/1]', () => {
    const script = 'stat -c "%n %F %a %u:%g %t:%T" /dev/mine /dev/deep/disk /dev/pipe'
    const result = probe(runtime, bundle, script, {
      change: withDevices(
        FULL,
        { path: '/dev/deep/disk', type: 'b', major: 7, minor: 300, fileMode: 0o60600, uid: 3 },
        { path: '/dev/pipe', type: 'p', fileMode: 0o622 },
      ),
    })
    expect(result.stderr).toBe('')
    expect(result.stdout).toBe(
      [
        '/dev/mine character special file 640 0:5 1:7',
        '/dev/deep/disk block special file 600 3:0 7:12c',
        '/dev/pipe fifo 622 0:0 0:0\n',
      ].join('\n'),
    )
  })

  it('shows the devices of the host in a user namespace', () => {
    const result = probe(
      runtime,
      bundle,
      'stat -c "%t:%T" /dev/null /dev/full; echo x >/dev/null',
      {
        change: inUserNamespace,
      },
    )
    expect(result).toMatchObject({ status: 0, stdout: '1:3\n1:7\n' })
  })
})

describe('tsrun', () => {
  beforeEach(() => setUp('tsrun'))

  it('links /dev/core where the kernel has /proc/kcore', () => {
    const script =
      'if test -e /proc/kcore; then readlink /dev/core; else test ! -L /dev/core; fi && echo right'
    const stdout = existsSync('/proc/kcore') ? '/proc/kcore\nright\n' : 'right\n'
    expect(probe(runtime, bundle, script).stdout).toBe(stdout)
  })

  it('leads /dev/ptmx of an image, or of the config, to the terminals of the container', () => {
    mkdirSync(join(bundle.rootfs, 'dev/pts'), { recursive: true })
    spawnSync('mknod', [join(bundle.rootfs, 'dev/ptmx'), 'c', '5', '2'])
    const ptmx: Device = { path: '/dev/ptmx', type: 'c', major: 5, minor: 2 }
    const result = probe(runtime, bundle, 'readlink /dev/ptmx', {
      change: (config) => withoutDevMount(withDevices(ptmx)(config)),
    })
    expect(result.stdout).toBe('pts/ptmx\n')
  })

  it('binds the nodes of the host where it may make none', () => {
    bundle.configure((config) => ({
      ...config,
      process: {
        cwd: '/',
        ...config.process,
        args: ['stat', '-c', '%t:%T', '/dev/null', '/dev/x'],
      },
      linux: {
        ...config.linux,
        devices: [{ path: '/dev/x', type: 'c', major: 1, minor: 5 }],
      },
    }))
    const command = [TSRUN, '--root', runtime.root, 'run', '--bundle', bundle.directory, ID]
    const host = 'test -e /dev/char/1:5 || mknod /dev/x c 1 5'
    const { stdout, stderr } = spawnSync(
      'unshare',
      [
        ...['-m', '--propagation', 'private', 'sh', '-c'],
        `cp -a /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty "$1" &&
         mount -t tmpfs -o dev t /dev && cp -a "$1"/* /dev && ${host}; shift
         exec setpriv --bounding-set -mknod --inh-caps -mknod "$@"`,
        'sh',
        bundle.directory,
        ...command,
      ],
      { encoding: 'utf8' },
    )
    expect(stderr).toBe('')
    expect(stdout).toBe('1:3\n1:5\n')
  })

  it('refuses a file in the place of a device that the config asks for [config-linux.md#devices/3]', () => {
    mkdirSync(join(bundle.rootfs, 'dev'), { recursive: true })
    const run = () =>
      probe(runtime, bundle, 'echo ran', {
        change: (config) => withoutDevMount(withDevices(FULL)(config)),
      })
    writeFileSync(join(bundle.rootfs, 'dev/mine'), '')
    expect(run().stderr).toMatch(/linux.devices\[0\] \(\/dev\/mine\).*another kind of file/)
    spawnSync('sh', ['-c', 'rm "$1"; mknod "$1" c 1 3', 'sh', join(bundle.rootfs, 'dev/mine')])
    expect(run().stderr).toMatch(/not the device 1:7/)
    spawnSync('sh', ['-c', 'rm "$1"; mknod "$1" c 1 7', 'sh', join(bundle.rootfs, 'dev/mine')])
    expect(run().stdout).toBe('ran\n')
  })

  it('follows no link of an image to make a device', () => {
    mkdirSync(join(bundle.rootfs, 'dev'), { recursive: true })
    symlinkSync('/etc/victim', join(bundle.rootfs, 'dev/mine'))
    const result = probe(runtime, bundle, 'echo ran', {
      change: (config) => withoutDevMount(withDevices(FULL)(config)),
    })
    expect(result.stdout).toBe('')
    expect(result.stderr).toMatch(/ELOOP/)
  })
})
