/** The library's functions on images: pull, push, progress and abort. */
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { imagesOf } from '../../src/engine/images.ts'
import { inspectImage } from '../../src/engine/inspect-image.ts'
import { type PullProgress, pullImage, pushImage } from '../../src/index.ts'
import { OCI_INDEX } from '../../src/oci/media-types.ts'
import { startRegistry } from '../support/docker-registry.ts'
import { blob, makeImage, pushImage as put } from '../support/make-image.ts'
import { file } from '../support/tar-builder.ts'
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
