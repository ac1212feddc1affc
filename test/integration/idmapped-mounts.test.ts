/** Mounts with mapped ids: the files of the host with other owners, and what is written with them mapped back. */
import { chmodSync, chownSync, mkdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { IdMapping, Mount } from '../../src/oci/runtime-config.ts'
import { bind, inUserNamespace, probe } from '../support/mount-probe.ts'
import { makeRuntime, type Runtime } from '../support/runtime.ts'
import { type Bundle, makeBundle } from '../support/runtime-bundle.ts'
import { uniqueId } from '../support/unique-id.ts'

const ID = uniqueId('first')

let bundle: Bundle
let runtime: Runtime
let host: string

beforeEach(() => {
  bundle = makeBundle()
  runtime = makeRuntime()
  chmodSync(bundle.directory, 0o711)
  host = join(bundle.directory, 'host')
  mkdirSync(host)
  mkdirSync(join(bundle.rootfs, 'data'))
  mkdirSync(join(bundle.rootfs, 'more'))
  for (const id of [0, 1, 1000]) {
    writeFileSync(join(host, `of-${id}`), '')
    chownSync(join(host, `of-${id}`), id, id)
  }
})
afterEach(() => {
  runtime[Symbol.dispose]()
  bundle[Symbol.dispose]()
})

const map = (...ranges: readonly (readonly [number, number, number])[]): readonly IdMapping[] =>
  ranges.map(([containerID, hostID, size]) => ({ containerID, hostID, size }))

const mapped = (mount: Mount, mapping: readonly IdMapping[]): Mount => ({
  ...mount,
  uidMappings: mapping,
  gidMappings: mapping,
})

const owners = (directory = '/data'): string => `cd ${directory} && stat -c '%n %u:%g' of-*`
const TO_CONTAINER = map([0, 100000, 65536])

describe('mapped ids', () => {
  it('show the files of the host with the owners of the mapping [config.md#linux-mount-options/2]', () => {
    const result = probe(runtime, bundle, owners(), {
      mounts: [mapped(bind(host, '/data', 'idmap'), map([0, 1000, 1], [1000, 0, 1]))],
    })
    expect(result.stderr).toBe('')
    // What the mapping leaves out is nobody's.
    expect(result.stdout).toBe('of-0 1000:1000\nof-1 65534:65534\nof-1000 0:0\n')
  })

  it('take gid and uid apart', () => {
    const mount = {
      ...bind(host, '/data', 'idmap'),
      uidMappings: map([0, 5, 1]),
      gidMappings: map([0, 7, 1]),
    }
    const result = probe(runtime, bundle, 'stat -c %u:%g /data/of-0', { mounts: [mount] })
    expect(result.stdout).toBe('5:7\n')
  })

  it('map back what is written', () => {
    chownSync(host, 42, 42)
    const result = probe(runtime, bundle, 'touch /data/new && stat -c %u:%g /data/new', {
      mounts: [mapped(bind(host, '/data', 'idmap'), map([42, 0, 1]))],
    })
    expect(result).toMatchObject({ status: 0, stdout: '0:0\n' })
    expect(statSync(join(host, 'new'))).toMatchObject({ uid: 42, gid: 42 })
  })

  it.each([
    ['the mapping of the mount', mapped, 'idmap'],
    ['the mapping of the container', (mount: Mount) => mount, 'idmap'],
    ['the mapping of the container, below too', (mount: Mount) => mount, 'ridmap'],
  ])('in a user namespace: %s', (_, change, option) => {
    const result = probe(runtime, bundle, `${owners()}; touch /data/new; stat -c %u /data/new`, {
      mounts: [change(bind(host, '/data', option), TO_CONTAINER)],
      change: inUserNamespace,
    })
    expect(result.stderr).toBe('')
    expect(result.stdout).toBe('of-0 0:0\nof-1 1:1\nof-1000 1000:1000\n0\n')
    expect(statSync(join(host, 'new')).uid).toBe(0)
  })

  it('in a user namespace that is joined', () => {
    bundle.configure((config) => inUserNamespace({ ...config, root: { path: 'rootfs' } }))
    runtime.succeed(['create', '--bundle', bundle.directory, ID], { stdio: 'ignore' })
    const path = `/proc/${runtime.state(ID).pid}/ns/user`
    const result = probe(runtime, bundle, owners(), {
      mounts: [bind(host, '/data', 'idmap')],
      change: (config) => ({
        ...config,
        linux: {
          ...config.linux,
          namespaces: [...(config.linux?.namespaces ?? []), { type: 'user', path }],
        },
      }),
    })
    expect(result.stdout).toBe('of-0 0:0\nof-1 1:1\nof-1000 1000:1000\n')
    runtime.succeed(['delete', '--force', ID])
  })

  it('of mounts below are mapped with ridmap alone [config.md#linux-mount-options/3]', () => {
    const before = `mkdir -p ${host}/in; mount --bind ${bundle.directory}/inner ${host}/in`
    mkdirSync(join(bundle.directory, 'inner'))
    writeFileSync(join(bundle.directory, 'inner/of-0'), '')
    const stat = (option: string): string =>
      probe(runtime, bundle, 'stat -c %u /data/of-0 /data/in/of-0', {
        mounts: [
          mapped(
            { destination: '/data', source: host, options: ['rbind', option] },
            map([0, 1000, 1]),
          ),
        ],
        options: { mountNamespace: { before } },
      }).stdout
    expect(stat('idmap')).toBe('1000\n0\n')
    expect(stat('ridmap')).toBe('1000\n1000\n')
  })

  it('of one source differ from mount to mount', () => {
    const result = probe(runtime, bundle, 'stat -c %u /data/of-0 /more/of-0 /plain/of-0', {
      mounts: [
        mapped(bind(host, '/data', 'idmap'), map([0, 1000, 1])),
        mapped(bind(host, '/more', 'idmap', 'ro'), map([0, 2000, 1])),
        bind(host, '/plain'),
      ],
    })
    expect(result.stdout).toBe('1000\n2000\n0\n')
  })

  it('of a source that root of the user namespace does not reach', () => {
    chmodSync(host, 0o700)
    const result = probe(runtime, bundle, owners(), {
      mounts: [bind(host, '/data', 'idmap', 'ro')],
      change: inUserNamespace,
    })
    expect(result.stdout).toBe('of-0 0:0\nof-1 1:1\nof-1000 1000:1000\n')
  })

  it.each([
    ['idmap=uids=0-1000-1#1-2000-1;gids=0-3000-2', 'of-0 1000:3000\nof-1 2000:3001\n'],
    ['ridmap=gids=0-10-1#1-11-1;uids=0-20-2', 'of-0 20:10\nof-1 21:11\n'],
  ])('are taken in the words of crun: %s', (option, expected) => {
    const result = probe(runtime, bundle, owners(), { mounts: [bind(host, '/data', option)] })
    expect(result.stdout).toContain(expected)
  })

  it('are taken in the words of crun, in ids of the container', () => {
    const result = probe(runtime, bundle, owners(), {
      mounts: [bind(host, '/data', 'idmap=uids=@0-500-1;gids=@0-600-1')],
      change: inUserNamespace,
    })
    expect(result.stdout).toContain('of-0 500:600\n')
  })

  it.each([
    'idmap=',
    'idmap=uids=0-0-1',
    'idmap=uids=0-0;gids=0-0-1',
    'idmap=uids=@0-0-1;gids=@0-0-1',
  ])('refuse %s', (option) => {
    const result = probe(runtime, bundle, 'echo ran', { mounts: [bind(host, '/data', option)] })
    expect(result.stdout).toBe('')
    expect(result.stderr).toMatch(/cannot map the ids of the mount on \/data/)
  })

  it('say when a file system cannot have them', () => {
    const result = probe(runtime, bundle, 'echo ran', {
      mounts: [mapped(bind('/proc/tty', '/data', 'idmap'), map([0, 1000, 1]))],
    })
    expect(result.stdout).toBe('')
    expect(result.stderr).toMatch(/\(\/data\).*MOUNT_ATTR_IDMAP.*has no id mapped mounts/)
  })
})
