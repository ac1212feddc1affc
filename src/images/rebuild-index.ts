/** Finds the images of a store whose index is lost: every manifest or index that no other index names. */
import { TsrunError } from '../errors.ts'
import type { Descriptor } from '../oci/image.ts'
import { OCI_INDEX, OCI_MANIFEST } from '../oci/media-types.ts'
import { detectManifestKind, MAX_MANIFEST_BYTES, parseImageIndex } from '../oci/parse-image.ts'
import { problemOfImage } from './problem-of-image.ts'
import type { ImageSource } from './read-image.ts'

/** Descriptors of the images that can be used as they are. */
export function findImages(source: ImageSource): readonly Descriptor[] {
  const found = new Map<string, Descriptor>()
  const within = new Set<string>()
  for (const digest of source.content.list()) {
    const document = readDocument(source, digest)
    if (document === undefined) continue
    found.set(digest, document.descriptor)
    for (const child of document.children) within.add(child)
  }
  return [...found.values()].filter(
    (target) => !within.has(target.digest) && problemOfImage(source, target) === undefined,
  )
}

function readDocument(
  { content }: ImageSource,
  digest: string,
): { readonly descriptor: Descriptor; readonly children: readonly string[] } | undefined {
  const size = content.sizeOf(digest) ?? 0
  // Layers and configs are most of the blobs; a layer is no JSON.
  if (size === 0 || size > MAX_MANIFEST_BYTES) return undefined
  try {
    const bytes = content.read(digest, MAX_MANIFEST_BYTES)
    if (bytes[0] !== '{'.charCodeAt(0)) return undefined
    const kind = detectManifestKind(bytes)
    if (kind === 'unknown') return undefined
    const children =
      kind === 'index' ? parseImageIndex(bytes).manifests.map((child) => child.digest) : []
    const mediaType = mediaTypeOf(bytes) ?? (kind === 'index' ? OCI_INDEX : OCI_MANIFEST)
    return { descriptor: { mediaType, digest, size }, children }
  } catch (error) {
    // A config or anything else that is no manifest, or a damaged blob, ignoring.
    if (error instanceof TsrunError || error instanceof SyntaxError) return undefined
    throw error
  }
}

function mediaTypeOf(bytes: Buffer): string | undefined {
  const { mediaType } = JSON.parse(bytes.toString('utf8')) as { readonly mediaType?: unknown }
  return typeof mediaType === 'string' ? mediaType : undefined
}
