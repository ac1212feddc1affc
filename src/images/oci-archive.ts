/** Finds the images of an OCI image layout that was read from an archive. */

import { TsrunError } from '../errors.ts'
import type { Descriptor } from '../oci/image.ts'
import { isIndexType, isManifestType } from '../oci/media-types.ts'
import { parseImageIndex } from '../oci/parse-image.ts'
import { formatReference, parseReference } from '../oci/reference.ts'
import type { ImageStore } from './image-store.ts'
import type { ArchiveContents, FoundImage } from './import-archive.ts'

/** The images that index.json lists; entries of one target are one image with several names. */
export function imagesOfLayout(
  store: ImageStore,
  contents: ArchiveContents,
): readonly FoundImage[] {
  const index = parseImageIndex(contents.documents.get('index.json') ?? Buffer.alloc(0))
  const found = new Map<string, { target: Descriptor; names: string[] }>()
  for (const { annotations = {}, ...descriptor } of index.manifests) {
    if (!isIndexType(descriptor.mediaType) && !isManifestType(descriptor.mediaType)) continue
    if (!store.content.has(descriptor.digest, descriptor.size)) {
      throw new TsrunError(
        'invalid-argument',
        `its index.json names ${descriptor.digest}, which is not in the archive with ${descriptor.size} bytes`,
      )
    }
    const { mediaType, digest, size } = descriptor
    const image = found.get(digest) ?? { target: { mediaType, digest, size }, names: [] }
    const name = wholeName(
      annotations['io.containerd.image.name'] ?? annotations['org.opencontainers.image.ref.name'],
    )
    if (name !== undefined && !image.names.includes(name)) image.names.push(name)
    found.set(digest, image)
  }
  return [...found.values()]
}

// Some tools write a tag alone, which is no name: the image then comes without one.
function wholeName(text: string | undefined): string | undefined {
  if (text === undefined || !/[/:.]/.test(text)) return undefined
  return formatReference(parseReference(text))
}
