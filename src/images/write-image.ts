/** Stores an image that is made here: config, manifest, name, and its layers unpacked. */
import type { Descriptor, ImageConfig, ImageManifest } from '../oci/image.ts'
import { OCI_CONFIG, OCI_MANIFEST } from '../oci/media-types.ts'
import { formatReference, parseReference } from '../oci/reference.ts'
import type { Image, ImageStore } from './image-store.ts'
import { readImage } from './read-image.ts'
import { storeLayers } from './store-layers.ts'

export interface NewImage {
  readonly config: ImageConfig
  /** From the base up; their blobs are in the store. */
  readonly layers: readonly Descriptor[]
  /** As a user writes it; undefined for a nameless image. */
  readonly name: string | undefined
  readonly annotations?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal | undefined
}

/** Writes the documents, unpacks what is not unpacked yet, and gives the name last. The caller holds the store. */
export async function writeImage(store: ImageStore, image: NewImage): Promise<Image> {
  const { config, layers, name, annotations, signal } = image
  const whole = name === undefined ? undefined : formatReference(parseReference(name))
  const configBlob = await store.content.write(Buffer.from(JSON.stringify(config)))
  const manifest: ImageManifest = {
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: { mediaType: OCI_CONFIG, ...configBlob },
    layers,
    ...(annotations === undefined ? {} : { annotations }),
  }
  const bytes = Buffer.from(JSON.stringify(manifest))
  const target: Descriptor = { mediaType: OCI_MANIFEST, ...(await store.content.write(bytes)) }
  await storeLayers(manifest, config, {
    content: store.content,
    snapshots: store.snapshots,
    // Made here: it was as large a moment ago.
    maxInflated: Number.POSITIVE_INFINITY,
    open: () => {
      throw new RangeError('a layer of a new image is not in the store')
    },
    onProgress: () => {},
    signal,
  })
  if (whole === undefined) await store.names.addNameless(target)
  else await store.names.set(whole, target)
  return readImage(store, target, whole === undefined ? [] : [whole])
}
