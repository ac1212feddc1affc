/** Content that is small on its way and huge where it arrives: each is refused in one sentence, and leaves nothing. */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { describeError } from '../../src/errors.ts'
import { applyLayer } from '../../src/images/apply-layer.ts'
import type { ImageStore } from '../../src/images/image-store.ts'
import { importArchive } from '../../src/images/import-archive.ts'
import { importRootfs } from '../../src/images/import-rootfs.ts'
import { openImageStore } from '../../src/images/open-image-store.ts'
import { pullImage } from '../../src/images/pull.ts'
import { parseReference } from '../../src/oci/reference.ts'
import { startFakeRegistry } from '../support/fake-registry.ts'
import { blob, type MadeImage, makeImage } from '../support/make-image.ts'
import { buildTar, dir, file, symlink, type TarInput } from '../support/tar-builder.ts'

const MEGABYTE = 1_000_000
/** In place of the rule, which allows 1 GiB whatever the size: test/unit/archive/inflation-bound.test.ts has it. */
const LIMIT = { TSRUN_MAX_INFLATED: '2m' }

const gzip = (bytes: Buffer): Buffer => gzipSync(bytes)
const zstd = (bytes: Buffer): Buffer =>
  execFileSync('zstd', ['-qc'], { input: bytes, maxBuffer: 1e8 })
const xz = (bytes: Buffer): Buffer => execFileSync('xz', ['-c'], { input: bytes, maxBuffer: 1e8 })

let folder: string
let root: string
let store: ImageStore
let count = 0

// A small file system of its own: what would fill the machine's disk fills this one.
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tsrun-bombs-'))
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=48m', 'tmpfs', folder])
})
afterAll(() => {
  // Fails where a descriptor was left open.
  execFileSync('umount', [folder])
  rmSync(folder, { recursive: true })
})
beforeEach(() => {
  root = join(folder, `data${count++}`)
  store = openImageStore(root, LIMIT)
})
afterEach(() => {
  expect(leftovers()).toEqual([])
  rmSync(root, { recursive: true, force: true })
})

/** Names of images, unpacked layers, drafts, and parts of blobs. */
function leftovers(): readonly string[] {
  const folders = ['snapshots/layers', 'snapshots/drafts', 'images/ingest']
  const files = folders.flatMap((name) => {
    const path = join(root, name)
    return spawnSync('test', ['-d', path]).status === 0 ? readdirSync(path) : []
  })
  return [...store.list().flatMap(({ names }) => names), ...files]
}

async function* once(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes
}

async function refused(work: Promise<unknown>): Promise<string> {
  try {
    await work
  } catch (error) {
    return describeError(error)
  }
  return 'accepted'
}

async function pull(image: MadeImage): Promise<string> {
  await using registry = await startFakeRegistry(image)
  const options = { credentials: async () => undefined, retry: { attempts: 2, baseMs: 1 } }
  return await refused(pullImage(store, parseReference(`${registry.host}/app`), options))
}

async function load(archive: Buffer): Promise<string> {
  return await refused(importArchive(store, once(archive), { packedSize: archive.length }))
}

function dockerArchive(image: MadeImage): Buffer {
  const layers = image.layers.map((_, i) => `${i}.tar`)
  return buildTar([
    file('c.json', image.config.bytes),
    ...image.layers.map(({ bytes }, i) => file(`${i}.tar`, bytes)),
    file(
      'manifest.json',
      JSON.stringify([{ Config: 'c.json', RepoTags: ['app:v1'], Layers: layers }]),
    ),
  ])
}

const BOMB = /it inflates to more than 2MiB, from [\d.]+(KiB|B): .*; hint: .*TSRUN_MAX_INFLATED/

describe.each([
  ['gzip', gzip, 'application/vnd.oci.image.layer.v1.tar+gzip'],
  ['zstd', zstd, 'application/vnd.oci.image.layer.v1.tar+zstd'],
])('a %s bomb', (_, compress, layerType) => {
  const zeros = buildTar([dir('d'), file('d/zeros', Buffer.alloc(20 * MEGABYTE))])
  const image = makeImage([[file('fine')], zeros], { compress, layerType })

  test('is refused as a layer that is pulled', async () => {
    expect(await pull(image)).toMatch(BOMB)
    // The layer below it may have been finished; nothing refers to it.
    await store.collectGarbage()
    expect(store.content.list()).toEqual([])
  })

  test('is refused as a layer of an archive, as the archive and as a root filesystem', async () => {
    expect(await load(dockerArchive(image))).toMatch(BOMB)
    expect(await load(compress(buildTar([file('x', Buffer.alloc(20 * MEGABYTE))])))).toMatch(BOMB)
    expect(await refused(importRootfs(store, once(compress(zeros)), ROOTFS))).toMatch(BOMB)
    expect(store.content.list()).toEqual([])
  })

  test('is taken by who allows it', async () => {
    store = openImageStore(root, { TSRUN_MAX_INFLATED: '30m' })
    expect(await load(dockerArchive(image))).toBe('accepted')
    await store.remove('app:v1', { force: false, usedBy: () => [] })
  })
})

const ROOTFS = { name: 'app:v1', process: {}, created: new Date(0) }

test('xz and bzip2 are named, not taken for a damaged tar', async () => {
  const sentence = /it is compressed by xz, which is not supported; hint: inflate it with xz -dc/
  const tar = buildTar([file('x', 'y')])
  expect(await load(xz(tar))).toMatch(sentence)
  expect(await refused(importRootfs(store, once(xz(tar)), ROOTFS))).toMatch(sentence)
  expect(await load(dockerArchive(makeImage([tar], { compress: xz })))).toMatch(sentence)
  expect(await load(Buffer.from('BZh91AY&SY'))).toMatch(/compressed by bzip2/)
})

test('a blob that says it is larger than the disk is not begun', async () => {
  const lying = makeImage([[file('x')]], {
    editManifest: (manifest) => {
      const [layer] = manifest.layers as { size: number }[]
      if (layer !== undefined) layer.size = 9_000_000_000_000_000
    },
  })
  expect(await pull(lying)).toMatch(
    /cannot store blob "sha256:\w+": no space left on the device: 9PB are wanted, [\d.]+MB are free for it; hint: free space/,
  )
  store.content.removeUnfinished()
})

test('a disk is left with a part that is free', async () => {
  const free = () => statfsSync(folder).bavail
  store = openImageStore(root, { TSRUN_MAX_INFLATED: '1g' })
  const before = free()
  let least = before
  const endless = buildTar([file('x', Buffer.alloc(64 * MEGABYTE, 'x'))])
  async function* slowly(): AsyncGenerator<Buffer> {
    for (let at = 0; at < endless.length; at += 65_536) {
      yield endless.subarray(at, at + 65_536)
      least = Math.min(least, free())
    }
  }
  expect(await refused(importArchive(store, slowly()))).toMatch(
    /no space left on the device: [\d.]+MB are wanted, [\d.]+[kM]?B are free for it/,
  )
  expect(least).toBeGreaterThan(0)
  expect(store.content.list()).toEqual([])
})

test.each<[string, readonly TarInput[], RegExp]>([
  [
    'a file that is larger than the file system, by its holes',
    [file('x', '', { pax: { 'GNU.sparse.map': '', 'GNU.sparse.size': '900000000000000' } })],
    /it has 818.5TiB with its holes, where the whole file system of the store has 48MiB/,
  ],
  [
    'a header that is larger than any name',
    [file('x', '', { pax: { comment: 'c'.repeat(1_100_000) } })],
    /a header for long names is larger than 1048576 bytes/,
  ],
  [
    'a large header for all entries',
    [{ name: 'g', type: 'g', content: `70010 comment=${'c'.repeat(69_995)}\n` }, file('x')],
    /a header for long names is larger than 65536 bytes/,
  ],
  [
    'a name that links make longer than a path may be',
    [
      symlink('l', `${'a/'.repeat(1500)}z`),
      file('x', '', { pax: { path: `l/${'b/'.repeat(1000)}f` } }),
    ],
    /it leads to a path of more than 4095 bytes/,
  ],
])('a layer with %s is refused', async (_, entries, sentence) => {
  expect(await pull(makeImage([entries]))).toMatch(sentence)
  await store.collectGarbage()
})

test('a layer with too many entries, or names to remember, is refused', async () => {
  const apply = async (entries: readonly TarInput[], limits: { entries: number; names: number }) =>
    await refused(
      applyLayer(once(buildTar(entries)), {
        folder: mkdtempSync(join(folder, 'layer-')),
        isBase: true,
        overlayXattrs: 'trusted',
        limits,
      }),
    )
  const files = [file('a'), file('b'), file('c')]
  expect(await apply(files, { entries: 3, names: 10 })).toBe('accepted')
  expect(await apply(files, { entries: 2, names: 10 })).toMatch(/it has more than 2 entries/)
  const folders = [dir('a/b'), symlink('s', 'target')]
  expect(await apply(folders, { entries: 9, names: 11 })).toBe('accepted')
  expect(await apply(folders, { entries: 9, names: 10 })).toMatch(/too many names of folders/)
})

test('folders deeper than a path may be long can be removed again', async () => {
  const deep = `${'d/'.repeat(2040)}f`
  expect(await pull(makeImage([[file('f', '', { pax: { path: deep } })]]))).toBe('accepted')
  await store.remove(store.list()[0]?.names[0] ?? '', { force: false, usedBy: () => [] })
})

test('indexes that name each other thousands of times are read once', async () => {
  const inner = makeImage([[file('x')]])
  let top = inner.manifest
  for (const part of [inner.config, ...inner.layers, top])
    await store.content.write(part.bytes, part.descriptor.digest)
  for (let depth = 0; depth < 3; depth++) {
    const manifests = Array.from({ length: 9000 }, () => top.descriptor)
    const mediaType = 'application/vnd.oci.image.index.v1+json'
    top = blob(mediaType, Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests })))
    await store.content.write(top.bytes)
  }
  await store.names.set('docker.io/library/app:v1', top.descriptor)
  await store.collectGarbage()
  expect(store.content.list()).toHaveLength(6)
  await store.remove('app:v1', { force: false, usedBy: () => [] })
})

test('an archive of thousands of images is refused before one is stored', async () => {
  const entries = Array.from({ length: 1001 }, () => ({ Config: 'c', Layers: [] }))
  const archive = buildTar([file('c', '{}'), file('manifest.json', JSON.stringify(entries))])
  expect(await load(archive)).toMatch(/its manifest.json has more than 1000 images/)
  expect(store.content.list()).toEqual([])
})

test('an image of 501 layers is refused', async () => {
  const image = makeImage(Array.from({ length: 501 }, () => []))
  expect(await pull(image)).toMatch(/\/layers must have at most 500 entries/)
})

test('a limit that is no size is named', () => {
  expect(() => openImageStore(root, { TSRUN_MAX_INFLATED: 'lots' })).toThrow(
    'cannot use TSRUN_MAX_INFLATED="lots": it is no size',
  )
})
