/** The library's functions on images: pull, push, progress and abort. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { imagesOf } from '../../src/engine/images.ts'
import { inspectImage } from '../../src/engine/inspect-image.ts'
import {
  type ImportProgress,
  inspectImage as inspect,
  listImages,
  loadImages,
  type PullProgress,
  pullImage,
  pushImage,
  removeImage,
  saveImages,
  tagImage,
} from '../../src/index.ts'
import { OCI_INDEX } from '../../src/oci/media-types.ts'
import { startRegistry } from '../support/docker-registry.ts'
import { blob, makeImage, pushImage as put } from '../support/make-image.ts'
import { buildTar, file } from '../support/tar-builder.ts'
import { createTempDir } from '../support/temp-dir.ts'

it('pullImage() and pushImage() tell what they do, stop when told, and list attestations', async () => {
  await using registry = await startRegistry()
  using folder = createTempDir('tsrun-library-images-')
  const dataRoot = join(folder.path, 'data')
  const image = makeImage([[file('a', 'x')]])
  const sbom = makeImage([[file('sbom', '{}')]])
  const index = blob(
    OCI_INDEX,
    Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        manifests: [
          { ...image.manifest.descriptor, platform: image.platform },
          {
            ...sbom.manifest.descriptor,
            platform: { os: 'unknown', architecture: 'unknown' },
            annotations: {
              'vnd.docker.reference.type': 'attestation-manifest',
              'vnd.docker.reference.digest': image.manifest.descriptor.digest,
            },
          },
        ],
      }),
    ),
  )
  await put(registry.host, 'app', 'v1', [image, sbom], index)
  const name = `${registry.host}/app:v1`
  const gone = AbortSignal.abort(new Error('enough'))
  await expect(pullImage(name, { dataRoot, signal: gone })).rejects.toThrow('enough')
  const events: PullProgress[] = []
  const pulled = await pullImage(name, { dataRoot, onProgress: (event) => events.push(event) })
  expect(pulled).toEqual({
    id: image.config.descriptor.digest,
    digest: index.descriptor.digest,
    names: [name],
  })
  expect(events.at(-1)).toMatchObject({ type: 'layer', phase: 'done' })
  const to = `${registry.host}/copy:v1`
  expect(await pushImage(name, { dataRoot, to, platform: 'linux' })).toEqual({
    digest: image.manifest.descriptor.digest,
  })
  const store = imagesOf({ dataRoot })
  expect(inspectImage(store, store.resolve(name)).Attestations).toEqual([
    {
      Type: 'attestation-manifest',
      Digest: sbom.manifest.descriptor.digest,
      Size: sbom.manifest.descriptor.size,
      Local: false,
    },
  ])
})

it('loadImages(), listImages(), tagImage(), inspectImage(), saveImages() and removeImage() work on one store', async () => {
  using folder = createTempDir('tsrun-library-store-')
  const roots = { dataRoot: join(folder.path, 'data'), stateRoot: join(folder.path, 'state') }
  const image = makeImage([[file('a', 'x')]])
  const archive = join(folder.path, 'image.tar')
  const entries = [
    file('c', image.config.bytes),
    file('l', image.layers[0]?.bytes),
    file('manifest.json', JSON.stringify([{ Config: 'c', RepoTags: ['app:v1'], Layers: ['l'] }])),
  ]
  writeFileSync(archive, buildTar(entries))
  const gone = AbortSignal.abort(new Error('enough'))
  await expect(loadImages(archive, { ...roots, signal: gone })).rejects.toThrow('enough')
  expect(await listImages(roots)).toEqual([])
  const events: ImportProgress[] = []
  const loaded = await loadImages(archive, { ...roots, onProgress: (event) => events.push(event) })
  expect(loaded).toMatchObject([
    { id: image.config.descriptor.digest, names: ['docker.io/library/app:v1'] },
  ])
  expect(events.at(-1)).toMatchObject({ phase: 'done' })
  await tagImage('app:v1', 'other:v2', roots)
  expect(await inspect('other:v2', roots)).toMatchObject({ RepoTags: ['app:v1', 'other:v2'] })
  const chunks: Buffer[] = []
  for await (const chunk of saveImages(['other:v2'], roots)) chunks.push(chunk)
  await expect(saveImages(['other:v2'], { ...roots, signal: gone }).next()).rejects.toThrow(
    'enough',
  )
  expect(await removeImage('app:v1', roots)).toEqual({ untagged: ['app:v1'], deleted: [] })
  await removeImage('other:v2', roots)
  expect(await listImages(roots)).toEqual([])
  writeFileSync(archive, Buffer.concat(chunks))
  await loadImages(archive, roots)
  expect((await listImages(roots)).flatMap(({ names }) => names)).toEqual([
    'docker.io/library/other:v2',
  ])
  await expect(removeImage('nosuch', roots)).rejects.toThrow('cannot find image "nosuch"')
})
