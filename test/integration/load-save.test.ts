/** Archives: what save writes load reads back, docker's old form, and archives that mean harm. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { describeError } from '../../src/errors.ts'
import { exportArchive } from '../../src/images/export-archive.ts'
import type { ImageStore } from '../../src/images/image-store.ts'
import { importArchive } from '../../src/images/import-archive.ts'
import { openImageStore } from '../../src/images/open-image-store.ts'
import { makeImage } from '../support/make-image.ts'
import { buildTar, dir, file, symlink, type TarInput } from '../support/tar-builder.ts'

let root: string
let store: ImageStore

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'tsrun-archive-'))
  store = openImageStore(join(root, 'a'))
})
afterEach(() => {
  rmSync(root, { recursive: true, force: true })
})

const layer = [dir('d'), file('d/f', 'content')]
const tar = buildTar(layer)
const made = makeImage([tar])

function dockerArchive(names: readonly string[] = ['app:v1']): TarInput[] {
  const manifest = [{ Config: 'cfg.json', RepoTags: names, Layers: ['one/layer.tar'] }]
  return [
    file('cfg.json', made.config.bytes),
    file('real/layer.tar', tar),
    symlink('one/layer.tar', '../real/layer.tar'),
    file('manifest.json', JSON.stringify(manifest)),
  ]
}

async function* once(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes
}

async function attempt(entries: readonly TarInput[] | Buffer): Promise<string> {
  try {
    await importArchive(store, once(Buffer.isBuffer(entries) ? entries : buildTar(entries)))
    return 'loaded'
  } catch (error) {
    return describeError(error)
  }
}

test('importArchive() of a docker archive, and exportArchive() back into another store', async () => {
  const [image] = await importArchive(store, once(gzipSync(buildTar(dockerArchive()))))
  expect(image?.id).toBe(made.config.descriptor.digest)
  expect(image?.names).toEqual(['docker.io/library/app:v1'])
  const found = store.resolve('app:v1')
  const other = openImageStore(join(root, 'b'))
  const [copy] = await importArchive(
    other,
    exportArchive(store, [{ image: found, names: found.names }]),
  )
  expect([copy?.id, copy?.target.digest, copy?.names]).toEqual([
    found.id,
    found.target.digest,
    found.names,
  ])
  expect(other.snapshots.hasLayer(copy?.chainIds[0] ?? '')).toBe(true)
  await other.remove('app:v1', { force: false, usedBy: () => [] })
  expect([other.list(), other.content.list(), other.snapshots.layers()]).toEqual([[], [], []])
})

const [blobLayer] = made.layers
const index = (digest: string, size: number) =>
  JSON.stringify({
    schemaVersion: 2,
    manifests: [{ mediaType: made.manifest.descriptor.mediaType, digest, size }],
  })
const path = (digest: string) => `blobs/${digest.replace(':', '/')}`

test.each<[string, readonly TarInput[] | Buffer, RegExp]>([
  ['nothing in it', [], /neither an OCI image layout/],
  ['a manifest that is no JSON', [file('manifest.json', '{')], /manifest.json is not JSON/],
  [
    'a layer that is not there',
    [file('manifest.json', '[{"Config":"c","Layers":["x"]}]')],
    /names "c", which is not in the archive/,
  ],
  [
    'links in a circle',
    [symlink('c', 'c'), file('manifest.json', '[{"Config":"c","Layers":[]}]')],
    /names "c", which is not in the archive/,
  ],
  ['a climbing name', [file('../x', 'x')], /climbs up/],
  ['a bad name', dockerArchive(['UPPER CASE']), /cannot use image name/],
  [
    'a blob of another digest',
    [file(path(`sha256:${'0'.repeat(64)}`), 'x')],
    /its content has the digest/,
  ],
  [
    'an index that names nothing',
    [file('index.json', index(`sha256:${'1'.repeat(64)}`, 5))],
    /is not in the archive/,
  ],
  [
    'an index with a lying size',
    [
      file(path(made.manifest.descriptor.digest), made.manifest.bytes),
      file('index.json', index(made.manifest.descriptor.digest, 5)),
    ],
    /is not in the archive with 5 bytes/,
  ],
  [
    'a missing layer',
    [
      file(path(made.manifest.descriptor.digest), made.manifest.bytes),
      file(path(made.config.descriptor.digest), made.config.bytes),
      file('index.json', index(made.manifest.descriptor.digest, made.manifest.bytes.length)),
    ],
    /one of its layers is missing/,
  ],
  ['a truncated end', buildTar(dockerArchive()).subarray(0, 1500), /malformed/],
])('importArchive() refuses %s and leaves nothing', async (_, entries, sentence) => {
  expect(blobLayer).toBeDefined()
  expect(await attempt(entries)).toMatch(sentence)
  expect([store.list(), store.content.list(), store.snapshots.layers()]).toEqual([[], [], []])
})
