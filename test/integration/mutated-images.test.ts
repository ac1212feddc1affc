/** Damaged and hostile layers and archives: one sentence, a store as it was, and nothing touched outside of it. */
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest'
import { describeError, errnoCodeOf, TsrunError } from '../../src/errors.ts'
import { applyLayer } from '../../src/images/apply-layer.ts'
import { finishLayer } from '../../src/images/finish-layer.ts'
import { importArchive } from '../../src/images/import-archive.ts'
import { openImageStore } from '../../src/images/open-image-store.ts'
import { OCI_INDEX } from '../../src/oci/media-types.ts'
import { blob, type MadeBlob, makeImage, makeIndex } from '../support/make-image.ts'
import { mutateBytes, mutateJson } from '../support/mutate-bytes.ts'
import { seededRandom } from '../support/random-profiles.ts'
import { buildTar, dir, file, hardLink, symlink, type TarInput } from '../support/tar-builder.ts'
import { createTempDir, type TempDir } from '../support/temp-dir.ts'

const LAYERS = 1200
const ARCHIVES = 800

let folder: TempDir

beforeAll(() => {
  folder = createTempDir('tsrun-mutated-')
  mkdirSync(join(folder.path, 'outside'))
  writeFileSync(join(folder.path, 'outside/secret'), 'secret')
})
afterAll(() => folder[Symbol.dispose]())

/** What is around the folders that are written to. */
function outside(): string {
  const { mode, size } = statSync(join(folder.path, 'outside/secret'))
  return [
    readdirSync(folder.path).sort(),
    readdirSync(join(folder.path, 'outside')),
    mode,
    size,
  ].join(' ')
}

async function* once(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes
}

function expectSentence(error: unknown): void {
  if (!(error instanceof TsrunError)) throw error
  const text = describeError(error)
  expect(text).toMatch(/^(?:cannot|its?|one|the|a) /)
  expect(text).not.toMatch(/\n|undefined|\[object/)
}

const layerTar = buildTar([
  dir('d'),
  file('d/f', 'x'.repeat(2000), { pax: { 'SCHILY.xattr.user.a': 'b', mtime: '1.5' } }),
  symlink('up', '../outside'),
  symlink('root', '/'),
  file('up/through', 'x'),
  hardLink('d/g', 'd/f'),
  file('d/.wh.h', ''),
  dir('e'),
  file('e/.wh..wh..opq', ''),
  { name: 'dev', type: '3', device: [1, 3] },
  { name: 'pipe', type: '6' },
  file('n'.repeat(300), 'long', { pax: { path: `${'n/'.repeat(140)}x` } }),
])

it(`${LAYERS} damaged layers are unpacked inside their folder or refused`, async () => {
  const before = outside()
  let refused = 0
  for (let seed = 0; seed < LAYERS; seed++) {
    const target = join(folder.path, 'layer')
    mkdirSync(target, { mode: 0o700 })
    try {
      const plain = once(mutateBytes(layerTar, seededRandom(seed)))
      const options = { folder: target, overlayXattrs: 'trusted', isBase: seed % 2 === 0 } as const
      finishLayer(await applyLayer(plain, options), { ...options, below: [] })
    } catch (error) {
      refused++
      expectSentence(error)
    } finally {
      rmSync(target, { recursive: true })
    }
    if (outside() !== before) throw new Error(`seed ${seed}: something outside has changed`)
  }
  expect(refused).toBeGreaterThan(LAYERS / 5)
  expect(readFileSync(join(folder.path, 'outside/secret'), 'utf8')).toBe('secret')
})

const image = makeImage([[file('a', 'x')], [file('b', 'y')]])
const parts = [image.manifest, image.config, ...image.layers]

function layout(index: unknown, blobs: readonly MadeBlob[] = parts): TarInput[] {
  return [
    file('oci-layout', '{"imageLayoutVersion":"1.0.0"}'),
    file('index.json', JSON.stringify(index)),
    ...blobs.map(({ descriptor, bytes }) =>
      file(`blobs/sha256/${descriptor.digest.slice(7)}`, bytes),
    ),
  ]
}

const goodIndex = { schemaVersion: 2, manifests: [image.manifest.descriptor] }

/** Imports and resolves to what went wrong; the store is as before then. */
async function importInto(root: string, archive: Buffer): Promise<unknown> {
  const store = openImageStore(root)
  const state = (): string =>
    JSON.stringify([store.names.list(), store.content.list().toSorted(), store.snapshots.layers()])
  const before = state()
  try {
    await importArchive(store, once(archive))
    await store.names.removeTargets(store.names.list().map(({ target }) => target.digest))
    await store.collectGarbage()
    return undefined
  } catch (error) {
    expect(state()).toBe(before)
    return error
  }
}

it(`${ARCHIVES} damaged archives are loaded or refused, and leave nothing`, async () => {
  const root = join(folder.path, 'data')
  mkdirSync(root)
  const before = outside()
  const docker = buildTar([
    file(
      'manifest.json',
      JSON.stringify([
        { Config: 'c.json', RepoTags: ['a:b'], Layers: ['l/layer.tar', 'm/layer.tar'] },
      ]),
    ),
    file('c.json', image.config.bytes),
    ...image.layers.map(({ bytes }, i) => file(`${i === 0 ? 'l' : 'm'}/layer.tar`, bytes)),
  ])
  const packed = gzipSync(buildTar(layout(goodIndex)))
  let refused = 0
  for (let seed = 0; seed < ARCHIVES; seed++) {
    const random = seededRandom(seed)
    const archive =
      seed % 4 === 0
        ? mutateBytes(docker, random)
        : seed % 4 === 1
          ? mutateBytes(packed, random)
          : buildTar(layout(mutateJson(goodIndex, random)))
    const error = await importInto(root, archive)
    if (error === undefined) continue
    refused++
    if (errnoCodeOf(error) === undefined) expectSentence(error)
  }
  expect(refused).toBeGreaterThan(ARCHIVES / 3)
  expect(outside()).toBe(before)
})

describe('an archive', () => {
  const nested = (depth: number): { top: MadeBlob; all: MadeBlob[] } => {
    const all: MadeBlob[] = [makeIndex([image])]
    for (let i = 1; i < depth; i++) {
      const { descriptor } = all.at(-1) ?? image.manifest
      const entry = { ...descriptor, platform: image.platform }
      all.push(
        blob(OCI_INDEX, Buffer.from(JSON.stringify({ schemaVersion: 2, manifests: [entry] }))),
      )
    }
    return { top: all.at(-1) ?? image.manifest, all }
  }
  const { top, all } = nested(40)
  const liar = { ...image.manifest.descriptor, size: image.manifest.bytes.length + 1 }
  const twice = [
    ...layout(goodIndex),
    file('index.json', JSON.stringify({ schemaVersion: 2, manifests: [] })),
  ]

  test.each<[string, TarInput[], RegExp]>([
    [
      'of indexes in indexes',
      layout({ schemaVersion: 2, manifests: [top.descriptor] }, [...parts, ...all]),
      /nested too deeply/,
    ],
    [
      'that lies about a size',
      layout({ schemaVersion: 2, manifests: [liar] }),
      /is not in the archive with/,
    ],
    [
      'that lies about a digest',
      layout(goodIndex, [{ ...image.manifest, bytes: Buffer.from('{}') }]),
      /digest|ended after|longer/,
    ],
    ['with a document twice', twice, /index.json twice|no image in it/],
    [
      'with a blob that is a device',
      [...layout(goodIndex), { name: 'blobs/sha256/x', type: '3', device: [1, 3] }],
      /is no plain file/,
    ],
  ])('%s is refused', async (_, entries, message) => {
    const root = join(folder.path, 'data')
    mkdirSync(root, { recursive: true })
    expect(describeError(await importInto(root, buildTar(entries)))).toMatch(message)
  })
})
