/** linux.maskedPaths, linux.readonlyPaths and mounts of cgroups; peers run the same cases. */
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Linux, RuntimeConfig } from '../../src/oci/runtime-config.ts'
import { bind, inUserNamespace, probe, tmpfs } from '../support/mount-probe.ts'
import { installedRuntimes, makeRuntime, type Runtime } from '../support/runtime.ts'
import { type Bundle, makeBundle } from '../support/runtime-bundle.ts'

let bundle: Bundle
let runtime: Runtime

function setUp(name: Runtime['name']): void {
  bundle = makeBundle()
  runtime = makeRuntime(name)
  chmodSync(bundle.directory, 0o711)
  mkdirSync(join(bundle.rootfs, 'srv/full'), { recursive: true })
  writeFileSync(join(bundle.rootfs, 'srv/full/file'), 'secret\n')
  writeFileSync(join(bundle.rootfs, 'srv/file'), 'secret\n')
}
afterEach(() => {
  runtime[Symbol.dispose]()
  bundle[Symbol.dispose]()
})

const withLinux =
  (linux: Linux) =>
  (config: RuntimeConfig): RuntimeConfig => ({ ...config, linux: { ...config.linux, ...linux } })

describe.each(installedRuntimes())('%s', (name) => {
  beforeEach(() => setUp(name))

  it('hides files under /dev/null and directories under an empty read-only one', () => {
    const script =
      'cat /srv/file; ls -A /srv/full; stat -c "%F %t:%T" /srv/file; touch /srv/full/x; echo end'
    const result = probe(runtime, bundle, script, {
      change: withLinux({ maskedPaths: ['/srv/file', '/srv/full', '/srv/missing'] }),
    })
    expect(result.stdout).toBe('character special file 1:3\nend\n')
    expect(result.stderr).toMatch(/Read-only file system/)
  })

  it('masks many directories, one twice, and one inside another', () => {
    const names = Array.from({ length: 20 }, (_, i) => `srv/full/d${i}`)
    for (const name of names) {
      mkdirSync(join(bundle.rootfs, name))
      writeFileSync(join(bundle.rootfs, name, 'file'), '')
    }
    const paths = names.map((name) => `/${name}`)
    const result = probe(runtime, bundle, 'ls /srv/full | wc -l; ls /srv/full/d* | grep -c file', {
      change: withLinux({ maskedPaths: [...paths, '/srv/full/d3', '/srv/full/d4/../d5/.'] }),
    })
    expect(result.stdout).toBe('21\n0\n')
  })

  it('masks what a link of the image leads to, inside the root', () => {
    symlinkSync('/srv/full', join(bundle.rootfs, 'link'))
    const result = probe(runtime, bundle, 'ls /srv/full | wc -l', {
      change: withLinux({ maskedPaths: ['/link'] }),
    })
    expect(result.stdout).toBe('0\n')
  })

  it('makes paths read-only, files too, and not the mounts below', () => {
    const script =
      'for p in /srv/file /srv/full/x /srv/full/in/x /etc/x; do touch $p && echo $p; done 2>/dev/null'
    const result = probe(runtime, bundle, script, {
      mounts: [tmpfs('/srv/full/in')],
      change: withLinux({ readonlyPaths: ['/srv/file', '/srv/full', '/srv/missing'] }),
    })
    expect(result.stdout).toBe('/srv/full/in/x\n/etc/x\n')
  })

  it.skipIf(name === 'crun')('keeps the attributes of a mount that becomes read-only', () => {
    const script = 'awk \'$5 == "/data" { print $6 }\' /proc/self/mountinfo | tail -n 1'
    const host = join(bundle.directory, 'host')
    mkdirSync(host)
    const result = probe(runtime, bundle, script, {
      mounts: [bind(host, '/data')],
      change: withLinux({ readonlyPaths: ['/data'] }),
      options: { mountNamespace: { before: `mount -t tmpfs -o nosuid,nodev,noexec t ${host}` } },
    })
    expect(result.stdout).toMatch(/^ro,nosuid,nodev,noexec/)
  })

  it('masks in a user namespace', () => {
    const result = probe(runtime, bundle, 'cat /srv/file; ls -A /srv/full; echo end', {
      change: (config) =>
        inUserNamespace(withLinux({ maskedPaths: ['/srv/file', '/srv/full'] })(config)),
    })
    expect(result).toMatchObject({ status: 0, stdout: 'end\n' })
  })
})

describe('tsrun', () => {
  beforeEach(() => setUp('tsrun'))
  const cgroupMount = 'grep " /sys/fs/cgroup" /proc/self/mountinfo'

  it.each(['cgroup', 'cgroup2'])('mounts cgroup v2 for a mount of type %s', (type) => {
    const change = (config: RuntimeConfig): RuntimeConfig => ({
      ...config,
      mounts: (config.mounts ?? []).map((mount) =>
        mount.destination === '/sys/fs/cgroup' ? { ...mount, type } : mount,
      ),
    })
    const result = probe(runtime, bundle, `${cgroupMount}; cat /sys/fs/cgroup/cgroup.procs`, {
      change,
    })
    // In a cgroup namespace of its own the container's cgroup is the root.
    expect(result.stdout).toMatch(/ \/ \/sys\/fs\/cgroup ro,nosuid,nodev,noexec.* - cgroup2 /)
    expect(result.stdout).toMatch(/\n1\n/)
  })

  it('mounts cgroup v2 in a user namespace, writable for its root', () => {
    const result = probe(runtime, bundle, cgroupMount, { change: inUserNamespace })
    expect(result.stderr).toBe('')
    expect(result.stdout).toMatch(/ \/ \/sys\/fs\/cgroup ro.* - cgroup2 /)
  })

  it('binds the cgroups of the host, read-only in a user namespace, without a cgroup namespace', () => {
    const result = probe(runtime, bundle, `${cgroupMount}; mkdir /sys/fs/cgroup/x`, {
      change: (config) =>
        withoutCgroupNamespace(inUserNamespace(withOptions(config, ['rw', 'nosuid']))),
    })
    expect(result.stdout).toMatch(/ \/ \/sys\/fs\/cgroup ro.* - cgroup2 /)
    expect(result.stderr).toMatch(/Read-only file system/)
  })
})

function withOptions(config: RuntimeConfig, options: readonly string[]): RuntimeConfig {
  return {
    ...config,
    mounts: (config.mounts ?? []).map((mount) =>
      mount.destination === '/sys/fs/cgroup' ? { ...mount, options } : mount,
    ),
  }
}

function withoutCgroupNamespace(config: RuntimeConfig): RuntimeConfig {
  const namespaces = (config.linux?.namespaces ?? []).filter(({ type }) => type !== 'cgroup')
  return { ...config, linux: { ...config.linux, namespaces } }
}
