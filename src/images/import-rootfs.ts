/** Makes an image of one layer from the tar of a root filesystem: `docker import`. */
import { inflate } from '../archive/compression.ts'
import { createZstdInflate } from '../native/zstd.ts'
import type { ImageProcess } from '../oci/image.ts'
import type { Platform } from '../oci/platform.ts'
import { addLayer } from './add-layer.ts'
import type { Image, ImageStore } from './image-store.ts'
import { writeImage } from './write-image.ts'

export interface ImportRootfsOptions {
  readonly name: string | undefined
  readonly message?: string | undefined
  /** What a container of it runs by default. */
  readonly process: ImageProcess
  readonly platform?: Platform | undefined
  /** Of the tar as it is, when it is known before its end. */
  readonly packedSize?: number | undefined
  /** Time of the image. */
  readonly created: Date
  readonly signal?: AbortSignal | undefined
}

/** Imports the tar in `packed`, plain or compressed. On failure nothing of it stays but an unnamed blob, which prune removes. */
export async function importRootfs(
  store: ImageStore,
  packed: AsyncIterable<Buffer>,
  options: ImportRootfsOptions,
): Promise<Image> {
  const { os, architecture, variant } = options.platform ?? store.hostPlatform
  using _ = await store.content.hold()
  const bound = { packedSize: options.packedSize, maximum: store.maxInflated }
  const plain = inflate(packed, createZstdInflate, bound)
  const { descriptor, diffId } = await addLayer(store.content, plain)
  const created = options.created.toISOString()
  return await writeImage(store, {
    config: {
      created,
      architecture,
      os,
      ...(variant === undefined ? {} : { variant }),
      config: options.process,
      rootfs: { type: 'layers', diff_ids: [diffId] },
      history: [{ created, comment: options.message ?? 'Imported from a tar' }],
    },
    layers: [descriptor],
    name: options.name,
    signal: options.signal,
  })
}
