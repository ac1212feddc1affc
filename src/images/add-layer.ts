/** Stores a new layer that is made here: compressed for registries, with both of its digests. */
import { createHash } from 'node:crypto'
import { createGzip } from 'node:zlib'
import { through } from '../archive/through.ts'
import type { ContentStore } from '../content/content-store.ts'
import type { Descriptor } from '../oci/image.ts'
import { OCI_LAYER_GZIP } from '../oci/media-types.ts'

export interface AddedLayer {
  readonly descriptor: Descriptor
  /** Digest of the plain tar. */
  readonly diffId: string
}

/**
 * Reads the plain tar to its end. The same tar gives the same blob: gzip's header has no time and no name. The
 * caller holds the store until something refers to the blob.
 */
export async function addLayer(
  content: ContentStore,
  plain: AsyncIterable<Buffer>,
): Promise<AddedLayer> {
  const hash = createHash('sha256')
  async function* hashed(): AsyncGenerator<Buffer> {
    for await (const chunk of plain) {
      hash.update(chunk)
      yield chunk
    }
  }
  const packed = through(hashed(), createGzip({ level: 6 }))
  const { digest, size } = await content.writeStream(packed)
  return {
    descriptor: { mediaType: OCI_LAYER_GZIP, digest, size },
    diffId: `sha256:${hash.digest('hex')}`,
  }
}
