/** Mounts of file systems: options, order, what is refused, remounts; peers run the same cases. */
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readdirSync, statSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Mount } from '../../src/oci/runtime-config.ts'
import { bind, inUserNamespace, probe, tmpfs } from '../support/mount-probe.ts'
import { installedRuntimes, makeRuntime, type Runtime } from '../support/runtime.ts'
import { type Bundle, makeBundle } from '../support/runtime-bundle.ts'

let bundle: Bundle
let runtime: Runtime

function setUp(name: Runtime['name']): void {
  bundle = makeBundle()
  runtime = makeRuntime(name)
}
afterEach(() => {
  runtime[Symbol.dispose]()
  bundle[Symbol.dispose]()
})

/** Options of the mount and of its superblock: `ro,nosuid rw,size=4k`. */
const optionsOf = (destination: string): string =>
  `awk '$5 == "${destination}" { print $6, $NF }' /proc/self/mountinfo | tail -n 1`

describe.each(installedRuntimes())('%s', (name) => {
  beforeEach(() => setUp(name))

  it.each([
    [['nosuid', 'nodev', 'noexec', 'ro'], 'ro,nosuid,nodev,noexec,relatime'],
    [['noatime'], 'rw,noatime'],
    [['nodiratime'], 'rw,nodiratime,relatime'],
    [['strictatime'], 'rw'],
    [['sync', 'dirsync'], 'rw,relatime'],
  ])('a tmpfs with %j is %s', (options, expected) => {
    const result = probe(runtime, bundle, optionsOf('/t'), { mounts: [tmpfs('/t', ...options)] })
    expect(result.stdout.split(' ')[0]).toBe(expected)
  })

  it('hands the options of a file system on: one by one and joined by commas', () => {
    const result = probe(runtime, bundle, `${optionsOf('/a')}; ${optionsOf('/b')}`, {
      mounts: [tmpfs('/a', 'size=64k', 'mode=711', 'sync'), tmpfs('/b', 'size=64k,mode=700')],
    })
    expect(result.stderr).toBe('')
    expect(result.stdout).toMatch(/^rw,relatime rw,sync,size=64k,mode=711/)
    expect(result.stdout).toMatch(/\nrw,relatime rw,size=64k,mode=700/)
  })

  it('refuses an option that the file system does not know', () => {
    const result = probe(runtime, bundle, 'echo ran', { mounts: [tmpfs('/t', 'nonsense=1')] })
    expect(result.status).not.toBe(0)
    expect(result.stdout).toBe('')
  })

  it('refuses a file system that the kernel does not know', () => {
    const result = probe(runtime, bundle, 'echo ran', {
      mounts: [{ destination: '/t', type: 'nonsense', source: 'x' }],
    })
    expect(result.status).not.toBe(0)
    expect(result.stdout).toBe('')
  })

  it('a read-only tmpfs takes the mounts inside it first', () => {
    const script = `${optionsOf('/t')}; touch /t/in/x && ls /t; touch /t/x`
    const result = probe(runtime, bundle, script, { mounts: [tmpfs('/t', 'ro'), tmpfs('/t/in')] })
    expect(result.stdout).toMatch(/^ro/)
    expect(result.stdout).toMatch(/\nin\n$/)
    expect(result.status).not.toBe(0)
  })

  it('a read-only root has its missing destinations made first, and writable mounts in it', () => {
    const result = probe(runtime, bundle, 'touch /new/deep/x && echo wrote; touch /x', {
      mounts: [tmpfs('/new/deep')],
      change: (config) => ({ ...config, root: { path: 'rootfs', readonly: true } }),
    })
    expect(result.stdout).toBe('wrote\n')
    expect(result.stderr).toMatch(/Read-only file system/)
  })

  it('overlays layers', () => {
    for (const layer of ['lower', 'upper', 'work']) mkdirSync(join(bundle.directory, layer))
    mkdirSync(join(bundle.directory, 'lower/below'))
    const path = (layer: string): string => join(bundle.directory, layer)
    const result = probe(runtime, bundle, 'touch /o/above; ls /o', {
      mounts: [
        {
          destination: '/o',
          type: 'overlay',
          source: 'overlay',
          options: [
            `lowerdir=${path('lower')}`,
            `upperdir=${path('upper')}`,
            `workdir=${path('work')}`,
          ],
        },
      ],
    })
    expect(result.stdout).toBe('above\nbelow\n')
    expect(existsSync(join(bundle.directory, 'upper/above'))).toBe(true)
  })

  it('remounts what is mounted', () => {
    const result = probe(runtime, bundle, optionsOf('/t'), {
      mounts: [
        tmpfs('/t', 'size=64k', 'mode=700'),
        tmpfs('/t', 'remount', 'ro', 'nosuid', 'size=32k'),
      ],
    })
    expect(result.stderr).toBe('')
    expect(result.stdout).toMatch(/^ro,nosuid,relatime r[ow],size=32k,mode=700/)
  })

  it('follows links in a destination inside the root', () => {
    mkdirSync(join(bundle.rootfs, 'real'))
    symlinkSync('/real', join(bundle.rootfs, 'absolute'))
    symlinkSync('../../../../real', join(bundle.rootfs, 'relative'))
    const result = probe(runtime, bundle, 'ls -d /real/*', {
      mounts: [tmpfs('/absolute/a'), tmpfs('/relative/b')],
    })
    expect(result.stdout).toBe('/real/a\n/real/b\n')
    expect(existsSync('/real')).toBe(false)
  })

  it.skipIf(name === 'crun')('new directories take the group of a setgid directory', () => {
    mkdirSync(join(bundle.rootfs, 'setgid'))
    chmodSync(join(bundle.rootfs, 'setgid'), 0o7755)
    probe(runtime, bundle, 'true', { mounts: [tmpfs('/setgid/a/b')] })
    const modes = ['', 'a', 'a/b'].map((path) => statSync(join(bundle.rootfs, 'setgid', path)).mode)
    expect(modes.map((mode) => (mode & 0o7777).toString(8))).toEqual(['7755', '2755', '2755'])
  })

  it('mounts devpts with a group in a user namespace that maps it', () => {
    chmodSync(bundle.directory, 0o711)
    const result = probe(runtime, bundle, optionsOf('/dev/pts'), { change: inUserNamespace })
    expect(result.stdout).toMatch(/gid=100005,mode=620|mode=620/)
  })
})

describe('tsrun', () => {
  beforeEach(() => setUp('tsrun'))

  it.each([
    [['ro', 'rw'], 'rw,relatime'],
    [['rw', 'ro'], 'ro,relatime'],
    [['nosuid', 'suid', 'nodev', 'dev', 'noexec', 'exec'], 'rw,relatime'],
    [['noatime', 'strictatime'], 'rw'],
    [['defaults', 'async', 'silent', 'loud', 'noiversion', 'nolazytime', 'nomand'], 'rw,relatime'],
  ])('the last of %j wins: %s', (options, expected) => {
    const result = probe(runtime, bundle, optionsOf('/t'), { mounts: [tmpfs('/t', ...options)] })
    expect(result.stdout.split(' ')[0]).toBe(expected)
  })

  // crun does not look; in runc 1.1 it outweighs the option.
  it('a tmpfs has the mode of the directory that it covers', () => {
    mkdirSync(join(bundle.rootfs, 'there'))
    chmodSync(join(bundle.rootfs, 'there'), 0o3750)
    mkdirSync(join(bundle.rootfs, 'told'))
    const result = probe(runtime, bundle, 'stat -c %a /there /told', {
      mounts: [tmpfs('/there'), tmpfs('/told', 'mode=0700')],
    })
    expect(result.stdout).toBe('3750\n700\n')
  })

  it('a tmpfs on a new directory has the mode of the kernel', () => {
    const result = probe(runtime, bundle, 'stat -c %a /new', { mounts: [tmpfs('/new')] })
    expect(result.stdout).toBe('1777\n')
  })

  it('remounts a bind mount, and leaves what it does not name', () => {
    const result = probe(runtime, bundle, optionsOf('/t'), {
      mounts: [
        tmpfs('/t', 'nodev', 'size=64k', 'mode=700'),
        { destination: '/t', type: 'none', options: ['remount', 'bind', 'ro', 'nosuid'] },
      ],
    })
    expect(result.stderr).toBe('')
    expect(result.stdout).toMatch(/^ro,nosuid,nodev,relatime rw,size=64k,mode=700/)
  })

  it('refuses to remount what is no mount', () => {
    const result = probe(runtime, bundle, 'echo ran', {
      mounts: [{ destination: '/tmp', type: 'none', options: ['remount', 'bind', 'ro'] }],
    })
    expect(result.stdout).toBe('')
    expect(result.stderr).toMatch(/mounts\[\d+\] \(\/tmp\).*nothing is mounted/)
  })

  const refuses = (mount: Mount): void => {
    const result = probe(runtime, bundle, 'echo ran', { mounts: [mount] })
    expect(result.status).not.toBe(0)
    expect(result.stdout).toBe('')
  }

  it.each(['/proc/sys/kernel', '/proc/self/attr', '/proc/../proc/1'])(
    'refuses to mount on %s',
    (destination) => refuses(tmpfs(destination)),
  )

  it('refuses to mount inside /proc by a link', () => {
    symlinkSync('/proc/self', join(bundle.rootfs, 'link'))
    refuses(tmpfs('/link/attr'))
    refuses(bind('/etc/hostname', '/link/environ'))
  })

  it('refuses all but procfs on /proc', () => {
    refuses(tmpfs('/proc'))
    refuses(bind(bundle.directory, '/proc'))
  })

  it('lets the files of lxcfs be shown in /proc', () => {
    const result = probe(runtime, bundle, 'cat /proc/uptime', {
      mounts: [bind(join(bundle.directory, 'config.json'), '/proc/uptime')],
    })
    expect(result.stdout).toMatch(/^\{.*ociVersion/)
  })

  it('takes a procfs as the source of /proc', () => {
    const result = probe(runtime, bundle, 'cat /proc/1/comm', {
      mounts: [{ destination: '/proc', source: '/proc', options: ['rbind'] }],
    })
    expect(result.stdout).not.toMatch(/^cat/)
    expect(result.status).toBe(0)
  })

  it('refuses to mount on the root, by a link too', () => {
    symlinkSync('.', join(bundle.rootfs, 'here'))
    for (const destination of ['/', '/x/..', '/here']) {
      const result = probe(runtime, bundle, 'echo ran', { mounts: [tmpfs(destination)] })
      expect(result.stdout).toBe('')
      expect(result.stderr).toMatch(/root of the container/)
    }
  })

  it.each([
    [bind('/etc', '/x', 'size=1m'), /size=1m.* is an option of a file system/],
    [{ destination: '/x', source: '/etc' }, /is required without bind or rbind/],
    [tmpfs('/proc'), /must be proc for a mount on \/proc/],
  ])('says what is wrong with %j', (mount, expected) => {
    const result = probe(runtime, bundle, 'echo ran', { mounts: [mount] })
    expect(result.stderr).toMatch(expected)
  })

  it('takes a destination that starts with the path of the root filesystem as one below it', () => {
    const result = probe(runtime, bundle, optionsOf('/below'), {
      mounts: [tmpfs(join(bundle.rootfs, 'below'), 'ro')],
    })
    expect(result.stdout).toMatch(/^ro/)
  })

  it('changes all mounts below with the recursive options', () => {
    const host = join(bundle.directory, 'host')
    mkdirSync(host)
    const script = `${optionsOf('/d')}; ${optionsOf('/d/in')}`
    const deep = (...options: readonly string[]): string =>
      probe(runtime, bundle, script, {
        mounts: [{ destination: '/d', source: host, options: ['rbind', ...options] }],
        options: {
          mountNamespace: {
            before: `mount -t tmpfs -o nodev t ${host}; mkdir ${host}/in; mount -t tmpfs -o noexec t ${host}/in`,
          },
        },
      }).stdout.replaceAll(/ .*/g, '')
    expect(deep('ro')).toBe('ro,relatime\nrw,noexec,relatime\n')
    expect(deep('rro', 'rnosuid')).toBe('ro,nosuid,nodev,relatime\nro,nosuid,noexec,relatime\n')
    expect(deep('rdev', 'rexec')).toBe('rw,relatime\nrw,relatime\n')
    expect(deep('rnoatime')).toBe('rw,nodev,noatime\nrw,noexec,noatime\n')
    expect(deep('rstrictatime', 'rnosymfollow')).toBe(
      'rw,nodev,nosymfollow\nrw,noexec,nosymfollow\n',
    )
    expect(deep('rro', 'rw')).toMatch(/^r[ow]/)
  })

  it('leaves no mount behind when one fails', () => {
    probe(runtime, bundle, 'true', { mounts: [tmpfs('/a'), tmpfs('/b', 'nonsense')] })
    const { stdout } = spawnSync('grep', ['-c', bundle.rootfs, '/proc/self/mountinfo'])
    expect(String(stdout)).toBe('0\n')
  })

  it('says what is wrong with an id that the user namespace does not map', () => {
    chmodSync(bundle.directory, 0o711)
    const result = probe(runtime, bundle, 'echo ran', {
      change(config) {
        const few = [{ containerID: 0, hostID: 100000, size: 1 }]
        const { linux, ...rest } = inUserNamespace(config)
        return { ...rest, linux: { ...linux, uidMappings: few, gidMappings: few } }
      },
    })
    expect(result.stdout).toBe('')
    expect(result.stderr).toMatch(/\(\/dev\/pts\): fsconfig gid=5.*must map it/)
  })

  it('says that the host locked what an option lifts', () => {
    chmodSync(bundle.directory, 0o711)
    const host = join(bundle.directory, 'host')
    mkdirSync(host)
    mkdirSync(join(bundle.rootfs, 'data'))
    const result = probe(runtime, bundle, 'echo ran', {
      mounts: [bind(host, '/data', 'ro', 'dev')],
      change: inUserNamespace,
      options: { mountNamespace: { before: `mount -t tmpfs -o nodev t ${host}` } },
    })
    expect(result.stdout).toBe('')
    expect(result.stderr).toMatch(/\(\/data\): mount_setattr: EPERM.*the host locked/)
  })

  // CVE-2021-30465, CVE-2024-45310: somebody else in a shared volume replaces a folder by a link while
  // the destination below it is made and mounted on.
  it('stays inside the root while a volume changes', () => {
    const volume = join(bundle.directory, 'volume')
    const outside = join(bundle.directory, 'outside')
    mkdirSync(join(volume, 'folder'), { recursive: true })
    mkdirSync(outside)
    symlinkSync(outside, join(volume, 'link'))
    const swap = 'mv -T folder x; mv -T link folder; mv -T folder link; mv -T x folder'
    for (let attempt = 0; attempt < 12; attempt++) {
      probe(runtime, bundle, 'true', {
        mounts: [bind(volume, '/vol'), tmpfs('/vol/folder/made/deep'), tmpfs('/vol/folder')],
        options: {
          mountNamespace: {
            before: `(cd ${volume}; set +e; while :; do ${swap}; done) 2>/dev/null & racer=$!`,
            after: `kill $racer; grep -q ' ${outside}' /proc/self/mountinfo && touch ${outside}/mounted`,
          },
        },
      })
    }
    expect(readdirSync(outside)).toEqual([])
  })
})
