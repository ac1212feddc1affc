/** Images go from and to skopeo, podman, umoci and containerd, byte for byte, and unpack to the same trees. */
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openImageStore } from '../../src/images/open-image-store.ts'
import { mountOverlay, unmountOverlay } from '../../src/snapshots/mount-overlay.ts'
import { unmountBelow } from '../support/caller-server.ts'
import { startContainerd } from '../support/containerd.ts'
import { startRegistry, type TestRegistry } from '../support/docker-registry.ts'
import { TestEngine } from '../support/engine.ts'
import { type MadeImage, makeImage, pushImage } from '../support/make-image.ts'
import { buildTar, dir, file } from '../support/tar-builder.ts'
import { createTempDir, type TempDir } from '../support/temp-dir.ts'
import { listTree } from '../support/tree-listing.ts'

const TIME = 1_600_000_000
/** cap_net_raw+ep as the kernel keeps it (linux/capability.h, VFS_CAP_REVISION_2). */
const CAPABILITY = Buffer.from('0100000200200000000000000000000000000000', 'hex').toString('latin1')

let folder: TempDir
let registry: TestRegistry
let engine: TestEngine
let image: MadeImage
let name: string
let tree: readonly string[]

beforeAll(async () => {
  folder = createTempDir('tsrun-exchange-')
  registry = await startRegistry()
  engine = new TestEngine()
  image = makeImage([baseLayer(), upperLayer()])
  name = `${registry.host}/team/app:v1`
  await pushImage(registry.host, 'team/app', 'v1', image)
  engine.succeed(['pull', name])
  tree = await mergedTree(engine)
})
afterAll(async () => {
  engine[Symbol.dispose]()
  await registry[Symbol.asyncDispose]()
  // podman makes its graph root a mount point.
  unmountBelow(folder.path)
  folder[Symbol.dispose]()
})

/** A tar of GNU's from a real tree: hard links, devices, sparse and odd files, odd owners. */
function baseLayer(): Buffer {
  const root = join(folder.path, 'base')
  const at = (path: string): string => join(root, path)
  for (const path of ['usr/bin', 'etc/keep', 'etc/gone', 'dev', 'var/opaque'])
    mkdirSync(at(path), { recursive: true })
  writeFileSync(at('usr/bin/tool'), 'tool', { mode: 0o755 })
  linkSync(at('usr/bin/tool'), at('usr/bin/same'))
  linkSync(at('usr/bin/tool'), at('etc/linked'))
  writeFileSync(at('usr/bin/suid'), 'suid')
  chownSync(at('usr/bin/suid'), 1000, 2000)
  chmodSync(at('usr/bin/suid'), 0o6755)
  writeFileSync(at('sparse'), 'head')
  truncateSync(at('sparse'), 8 * 1024 * 1024)
  symlinkSync('../usr/bin/tool', at('etc/link'))
  writeFileSync(at('etc/gone/file'), 'gone')
  writeFileSync(at('var/opaque/file'), 'hidden')
  writeFileSync(at('weird \u00e9\nname'), 'x')
  execFileSync('mknod', [at('dev/null'), 'c', '1', '3'])
  execFileSync('mknod', [at('dev/disk'), 'b', '7', '9'])
  execFileSync('mkfifo', ['-m', '620', at('dev/pipe')])
  chmodSync(at('var'), 0o1777)
  for (const path of ['usr/bin/tool', 'usr/bin/suid', 'sparse']) utimesSync(at(path), TIME, TIME)
  lutimesSync(at('etc/link'), TIME, TIME + 1)
  const options = [
    '--sparse',
    '--format=posix',
    '--numeric-owner',
    '--sort=name',
    '-C',
    root,
    '-cf',
  ]
  execFileSync('tar', [...options, join(folder.path, 'base.tar'), '.'])
  return readFileSync(join(folder.path, 'base.tar'))
}

function upperLayer(): Buffer {
  const time = { mtime: TIME + 5 }
  return buildTar([
    // Folders that a layer does not name keep their attributes here and in umoci, and lose them elsewhere.
    dir('usr', time),
    dir('usr/bin', time),
    dir('var', { mode: 0o1777, ...time }),
    dir('etc', { mode: 0o750, ...time }),
    file('etc/.wh.gone', ''),
    dir('var/opaque', { mode: 0o700, ...time }),
    file('var/opaque/.wh..wh..opq', ''),
    file('var/opaque/new', 'new', time),
    file('usr/bin/ping', 'ping', {
      mode: 0o755,
      ...time,
      pax: { 'SCHILY.xattr.security.capability': CAPABILITY, 'SCHILY.xattr.user.note': 'a\0b' },
    }),
  ])
}

async function mergedTree(from: TestEngine): Promise<readonly string[]> {
  const store = openImageStore(from.dataRoot)
  const [found] = store.list()
  const mounts = await store.snapshots.prepare('look', found?.chainIds ?? [])
  const target = join(folder.path, 'look')
  mkdirSync(target, { recursive: true })
  mountOverlay(mounts, target)
  try {
    return listTree(target)
  } finally {
    unmountOverlay(target)
    store.snapshots.remove('look')
  }
}

/** All bytes of the image that `repository` has in the registry. */
async function expectSame(repository: string, tag: string): Promise<void> {
  const base = `http://${registry.host}/v2/${repository}`
  for (const [path, { bytes, descriptor }] of [
    [`manifests/${tag}`, image.manifest] as const,
    ...[image.config, ...image.layers].map(
      (one) => [`blobs/${one.descriptor.digest}`, one] as const,
    ),
  ]) {
    const response = await fetch(`${base}/${path}`, { headers: { accept: descriptor.mediaType } })
    expect(Buffer.from(await response.arrayBuffer()).equals(bytes), path).toBe(true)
  }
}

const skopeo = (...args: string[]): string =>
  execFileSync(
    'skopeo',
    ['copy', '-q', '--src-tls-verify=false', '--dest-tls-verify=false', ...args],
    {
      encoding: 'utf8',
    },
  )

it('tsrun itself keeps what the tars say', () => {
  const line = (path: string): string => tree.find((one) => one.startsWith(`${path}, `)) ?? ''
  expect(line('usr/bin/suid')).toContain(`mode 106755, owner 1000:2000, mtime ${TIME}`)
  expect(line('usr/bin/tool')).toContain('same as etc/linked')
  expect(line('usr/bin/ping')).toContain('security.capability=01000002002000')
  expect(line('usr/bin/ping')).toContain('user.note=610062')
  expect(line('dev/null')).toContain('device 259')
  expect(line('var/opaque/file') + line('etc/gone')).toBe('')
  const store = openImageStore(engine.dataRoot)
  const sparse = lstatSync(
    join(store.snapshots.layerFolders(store.list()[0]?.chainIds ?? []).at(-1) ?? '', 'sparse'),
  )
  expect(sparse.blocks * 512).toBeLessThan(sparse.size / 10)
})

describe('skopeo', () => {
  it('gets from a push and from archives what was pulled', async () => {
    engine.succeed(['push', name, `${registry.host}/pushed:v1`])
    await expectSame('pushed', 'v1')
    for (const [format, transport] of [
      ['oci-archive', 'oci-archive'],
      ['oci-dir', 'oci'],
      ['docker-dir', 'dir'],
    ]) {
      const path = join(folder.path, `saved-${format}`)
      engine.succeed(['save', '--format', format ?? '', '-o', path, name])
      skopeo(`${transport}:${path}`, `docker://${registry.host}/from-${format}:v1`)
      await expectSame(`from-${format}`, 'v1')
    }
    engine.succeed(['save', '--format', 'docker-archive', '-o', join(folder.path, 'd.tar'), name])
    // docker archives have plain layers for skopeo: the config is the same, and with it every diff ID.
    skopeo(`docker-archive:${join(folder.path, 'd.tar')}`, `dir:${join(folder.path, 'd')}`)
    const manifest = JSON.parse(readFileSync(join(folder.path, 'd/manifest.json'), 'utf8'))
    expect(manifest.config.digest).toBe(image.config.descriptor.digest)
  })

  it.each([
    ['oci-archive', 'oci-archive:PATH'],
    ['oci', 'oci:PATH:app'],
    ['dir', 'dir:PATH'],
    ['docker-archive', 'docker-archive:PATH:example.org/app:v2'],
  ])('gives images as %s that load as the same image', async (kind, target) => {
    const path = join(folder.path, `skopeo-${kind}`)
    skopeo(`docker://${name}`, target.replace('PATH', path))
    using other = new TestEngine()
    const loaded = other.succeed(['load', '-i', path])
    if (kind === 'docker-archive') expect(loaded).toBe('Loaded image: example.org/app:v2')
    const [id = ''] = other.succeed(['images', '-q', '--no-trunc']).split('\n')
    expect(id).toBe(image.config.descriptor.digest)
    expect(await mergedTree(other)).toEqual(tree)
  })
})

it('umoci unpacks what tsrun has saved to the same tree, and tsrun what umoci has made of it', async () => {
  const path = join(folder.path, 'for-umoci')
  engine.succeed(['tag', name, 'umoci:v1'])
  engine.succeed(['save', '--format', 'oci-dir', '-o', path, 'umoci:v1'])
  const bundle = join(folder.path, 'bundle')
  const ref = 'docker.io/library/umoci:v1'
  // umoci takes a tag of an index by its whole annotation, which has a colon: the layout is given one without.
  const index = JSON.parse(readFileSync(join(path, 'index.json'), 'utf8'))
  for (const one of index.manifests) one.annotations = { 'org.opencontainers.image.ref.name': 'v1' }
  expect(JSON.stringify(index)).not.toContain(ref)
  writeFileSync(join(path, 'index.json'), JSON.stringify(index))
  execFileSync('umoci', ['unpack', '--image', `${path}:v1`, bundle], { stdio: 'pipe' })
  expect(listTree(join(bundle, 'rootfs'))).toEqual(tree)
  // And back: a layer that umoci has made of changes to that tree.
  const rootfs = join(bundle, 'rootfs')
  writeFileSync(join(rootfs, 'usr/bin/more'), 'more', { mode: 0o711 })
  linkSync(join(rootfs, 'usr/bin/more'), join(rootfs, 'usr/bin/again'))
  rmSync(join(rootfs, 'var/opaque'), { recursive: true })
  execFileSync('mknod', [join(rootfs, 'dev/zero'), 'c', '1', '5'])
  // Go's tar writer rounds to whole seconds.
  for (const changed of ['usr/bin/more', 'usr/bin', 'dev/zero', 'dev', 'var'])
    utimesSync(join(rootfs, changed), TIME, TIME)
  execFileSync('umoci', ['repack', '--image', `${path}:v2`, bundle], { stdio: 'pipe' })
  // load takes all images of a layout: the new one alone.
  const repacked = JSON.parse(readFileSync(join(path, 'index.json'), 'utf8'))
  repacked.manifests = repacked.manifests.filter((one: { annotations: Record<string, string> }) =>
    Object.values(one.annotations).includes('v2'),
  )
  writeFileSync(join(path, 'index.json'), JSON.stringify(repacked))
  using other = new TestEngine()
  other.succeed(['load', '-i', path])
  expect(await mergedTree(other)).toEqual(listTree(rootfs))
})

it('podman pulls what tsrun has pushed to the same tree, and pushes what tsrun pulls', async () => {
  const roots = [
    '--root',
    join(folder.path, 'p'),
    '--runroot',
    join(folder.path, 'pr'),
    '--storage-driver=overlay',
  ]
  const podman = (...args: string[]): string =>
    execFileSync('podman', [...roots, ...args], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    }).trim()
  engine.succeed(['push', name, `${registry.host}/for-podman:v1`])
  podman('pull', '-q', '--tls-verify=false', `${registry.host}/for-podman:v1`)
  const mounted = podman('image', 'mount', `${registry.host}/for-podman:v1`)
  expect(listTree(mounted)).toEqual(tree)
  podman('image', 'umount', '--all')
  podman(
    'push',
    '-q',
    '--tls-verify=false',
    `${registry.host}/for-podman:v1`,
    `${registry.host}/of-podman:v1`,
  )
  // No save: podman 4.3 cannot put a layer with a sparse file together again (write too long).
  using other = new TestEngine()
  other.succeed(['pull', `${registry.host}/of-podman:v1`])
  expect(await mergedTree(other)).toEqual(tree)
})

it('containerd pulls what tsrun has pushed to the same tree, and pushes it back byte for byte', async () => {
  const archive = join(folder.path, 'ctr.tar')
  engine.succeed(['save', '-o', archive, name])
  await using containerd = await startContainerd(archive)
  engine.succeed(['push', name, `${registry.host}/for-ctr:v1`])
  containerd.succeed(['image', 'pull', '--plain-http', `${registry.host}/for-ctr:v1`])
  const target = join(folder.path, 'ctr-mount')
  mkdirSync(target)
  containerd.succeed(['image', 'mount', `${registry.host}/for-ctr:v1`, target])
  try {
    expect(listTree(target)).toEqual(tree)
  } finally {
    containerd.succeed(['image', 'unmount', target])
  }
  containerd.succeed(['image', 'tag', `${registry.host}/for-ctr:v1`, `${registry.host}/of-ctr:v1`])
  containerd.succeed(['image', 'push', '--plain-http', `${registry.host}/of-ctr:v1`])
  await expectSame('of-ctr', 'v1')
  const exported = join(folder.path, 'exported.tar')
  containerd.succeed(['image', 'export', exported, `${registry.host}/for-ctr:v1`])
  using other = new TestEngine()
  other.succeed(['load', '-i', exported])
  expect(other.succeed(['images', '-q', '--no-trunc'])).toBe(image.config.descriptor.digest)
  expect(dirname(target)).toBe(folder.path)
})
