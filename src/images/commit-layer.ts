/** A new image: another one with one more layer on top. */
import type { ImageConfig, ImageManifest, ImageProcess } from '../oci/image.ts'
import {
  DOCKER_LAYER,
  DOCKER_LAYER_GZIP,
  DOCKER_LAYER_ZSTD,
  OCI_CONFIG,
  OCI_LAYER,
  OCI_LAYER_GZIP,
  OCI_LAYER_ZSTD,
  OCI_MANIFEST,
} from '../oci/media-types.ts'
import { addLayer } from './add-layer.ts'
import type { Image, ImageStore } from './image-store.ts'
import { readImage } from './read-image.ts'
import { storeLayers } from './store-layers.ts'

export interface NewImage {
  readonly base: Image
  /** The tar of the new layer, with whiteouts as layer.md has them. */
  readonly layer: AsyncIterable<Buffer>
  readonly process: ImageProcess
  readonly author: string
  readonly comment: string
  /** What the layer came from, for the history. */
  readonly createdBy: string
  /** Whole name; nameless without. */
  readonly name: string | undefined
}

/** In a manifest of OCI's the same layers have OCI's types. */
const OCI_TYPES: Readonly<Record<string, string>> = {
  [DOCKER_LAYER]: OCI_LAYER,
  [DOCKER_LAYER_GZIP]: OCI_LAYER_GZIP,
  [DOCKER_LAYER_ZSTD]: OCI_LAYER_ZSTD,
}

/** Stores the image, unpacks its layer and gives it its name. */
export async function commitLayer(store: ImageStore, request: NewImage): Promise<Image> {
  // Nothing refers to the blobs before the name does.
  using _ = await store.content.hold()
  const { base, name } = request
  const { descriptor, diffId } = await addLayer(store.content, request.layer)
  const config = configOf(request, diffId)
  const configBlob = await writeJson(store, config)
  const manifest: ImageManifest = {
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: { mediaType: OCI_CONFIG, ...configBlob },
    layers: [
      ...base.manifest.layers.map((below) => ({
        ...below,
        mediaType: OCI_TYPES[below.mediaType] ?? below.mediaType,
      })),
      descriptor,
    ],
  }
  const target = { mediaType: OCI_MANIFEST, ...(await writeJson(store, manifest)) }
  await storeLayers(manifest, config, {
    content: store.content,
    snapshots: store.snapshots,
    // Made here: it was as large a moment ago.
    maxInflated: Number.POSITIVE_INFINITY,
    open: () => {
      throw new RangeError('the layer was stored a moment ago')
    },
    onProgress: () => {},
  })
  if (name === undefined) await store.names.addNameless(target)
  else await store.names.set(name, target)
  return readImage(store, target, name === undefined ? [] : [name])
}

function configOf(request: NewImage, diffId: string): ImageConfig {
  const { base, process, author, comment, createdBy } = request
  const created = new Date().toISOString()
  return {
    ...base.config,
    created,
    ...(author === '' ? {} : { author }),
    config: process,
    rootfs: { type: 'layers', diff_ids: [...base.config.rootfs.diff_ids, diffId] },
    history: [
      ...(base.config.history ?? []),
      {
        created,
        created_by: createdBy,
        ...(author === '' ? {} : { author }),
        ...(comment === '' ? {} : { comment }),
      },
    ],
  }
}

async function writeJson(store: ImageStore, value: unknown) {
  return await store.content.write(Buffer.from(JSON.stringify(value)))
}
