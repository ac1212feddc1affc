/** Bind mounts of the container's own tree: made in order, of what earlier mounts put there. */
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Mount, RuntimeConfig } from '../../src/oci/runtime-config.ts'
import { bind, inUserNamespace, probe, tmpfs } from '../support/mount-probe.ts'
import { installedRuntimes, makeRuntime, type Runtime } from '../support/runtime.ts'
import { type Bundle, makeBundle } from '../support/runtime-bundle.ts'

let bundle: Bundle
let runtime: Runtime
let host: string

function setUp(name: Runtime['name']): void {
  bundle = makeBundle()
  runtime = makeRuntime(name)
  chmodSync(bundle.directory, 0o711)
  host = join(bundle.directory, 'host')
  for (const path of ['a/x', 'b/y', 'c/z']) {
    mkdirSync(join(host, path), { recursive: true })
    writeFileSync(join(host, path, 'file'), path)
    symlinkSync(path[0] ?? '', join(host, `link-${path[0]}`))
  }
  for (const name of ['mnt', 'final']) mkdirSync(join(bundle.rootfs, name))
}
afterEach(() => {
  runtime[Symbol.dispose]()
  bundle[Symbol.dispose]()
})

const MAPPING = [{ containerID: 0, hostID: 100000, size: 65536 }]

/** a on /mnt, b on /mnt/x, c on /mnt/x/y, a again; then parts of that tree into itself, and all on /final. */
function tree(change: (mount: Mount) => Mount): readonly Mount[] {
  const own = (path: string): string => join(bundle.rootfs, path)
  const part = (source: string, destination: string): Mount =>
    change({ source: own(source), destination, options: ['rbind', 'rprivate'] })
  return [
    bind(join(host, 'a'), '/mnt', 'rprivate'),
    bind(join(host, 'link-b'), '/mnt/x', 'rprivate'),
    bind(join(host, 'c'), '/mnt/x/y', 'rprivate'),
    bind(join(host, 'link-a'), '/mnt/x/y/z', 'rprivate'),
    part('mnt/x', '/mnt/x/y/z/x'),
    part('mnt/x/y', '/mnt/x/y/z'),
    part('mnt', '/final'),
  ]
}

const plain = (mount: Mount): Mount => mount
const mapped = (mount: Mount): Mount => ({
  ...mount,
  options: [...(mount.options ?? []), 'idmap'],
  uidMappings: MAPPING,
  gidMappings: MAPPING,
})
const inHostNamespace = (config: RuntimeConfig): RuntimeConfig => config
const READ = 'cat /final/x/y/z/z/x/y/z/x/file'

describe.each(installedRuntimes())('%s', (name) => {
  beforeEach(() => setUp(name))

  it('mounts parts of its own tree', () => {
    expect(probe(runtime, bundle, READ, { mounts: tree(plain) }).stdout).toBe('a/x')
  })
})

describe('tsrun', () => {
  beforeEach(() => setUp('tsrun'))

  it.each([
    ['in a user namespace', plain, inUserNamespace],
    ['with mapped ids', mapped, inHostNamespace],
    ['with mapped ids, in a user namespace', mapped, inUserNamespace],
  ])('mounts parts of its own tree: %s', (_, change, within) => {
    // Root of the user namespace cannot reach the sources.
    if (within === inUserNamespace) chmodSync(host, 0o700)
    const result = probe(runtime, bundle, READ, { mounts: tree(change), change: within })
    expect(result.stderr).toBe('')
    expect(result.stdout).toBe('a/x')
  })

  it.each([
    ['of the host', inHostNamespace],
    ['of a user namespace', inUserNamespace],
  ])('leaves no descriptors open on the way: rlimits %s', (_, within) => {
    const many = Array.from({ length: 30 }, (__, i) => [
      bind(join(host, 'a'), `/tmp/b${i}`),
      tmpfs(`/tmp/t${i}`, 'ro'),
      mapped({ source: join(host, 'b'), destination: `/tmp/m${i}`, options: ['bind'] }),
    ])
    // In a user namespace root makes no directories in the image.
    const holder = tmpfs('/tmp', 'mode=755')
    const maskedPaths = many.map((___, i) => `/tmp/b${i}/x`)
    const result = probe(runtime, bundle, 'ls /tmp | wc -l; ls /tmp/b7/x', {
      mounts: [holder, ...many.flat()],
      change: (config) =>
        within({
          ...config,
          process: {
            cwd: '/',
            ...config.process,
            rlimits: [{ type: 'RLIMIT_NOFILE', hard: 60, soft: 60 }],
          },
          linux: { ...config.linux, maskedPaths, readonlyPaths: maskedPaths },
        }),
    })
    expect(result.stderr).toBe('')
    expect(result.stdout).toBe('90\n')
  })
})
