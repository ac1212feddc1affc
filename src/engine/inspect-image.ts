/** An image as `docker image inspect` shows it. */
import type { Image, ImageStore } from '../images/image-store.ts'
import { isIndexType } from '../oci/media-types.ts'
import { MAX_MANIFEST_BYTES, parseImageIndex } from '../oci/parse-image.ts'
import { familiarReference, familiarRepository, parseReference } from '../oci/reference.ts'

/** The object for one image. */
export function inspectImage(store: ImageStore, image: Image): Record<string, unknown> {
  const { config } = image
  const references = image.names.map(parseReference)
  const folders = store.snapshots.layerFolders(image.chainIds)
  return {
    Id: image.id,
    RepoTags: references.filter(({ digest }) => digest === undefined).map(familiarReference),
    RepoDigests: [
      ...new Set(
        references.map((reference) => `${familiarRepository(reference)}@${image.target.digest}`),
      ),
    ],
    Comment: config.history?.at(-1)?.comment ?? '',
    Created: config.created ?? '',
    Author: config.author ?? '',
    Config: config.config ?? {},
    Architecture: config.architecture,
    ...(config.variant === undefined ? {} : { Variant: config.variant }),
    Os: config.os,
    Size: image.chainIds.reduce(
      (sum, chainId) => sum + (store.snapshots.layer(chainId)?.size ?? 0),
      0,
    ),
    GraphDriver: {
      Name: 'overlay',
      Data: { LowerDir: folders.slice(1).join(':'), UpperDir: folders[0] ?? '' },
    },
    RootFS: { Type: 'layers', Layers: config.rootfs.diff_ids },
    Metadata: {},
    Descriptor: image.target,
    ManifestDigest: image.manifestDescriptor.digest,
    Manifest: image.manifest,
    Attestations: attestationsOf(store, image),
    History: config.history ?? [],
  }
}

interface Attestation {
  readonly Type: string
  readonly Digest: string
  readonly Size: number
  /** Whether its content has been fetched too. */
  readonly Local: boolean
}

// BuildKit puts SBOM and provenance beside the image into its index and says by annotations whose they are.
function attestationsOf(store: ImageStore, image: Image): readonly Attestation[] {
  if (!isIndexType(image.target.mediaType)) return []
  const { manifests } = parseImageIndex(store.content.read(image.target.digest, MAX_MANIFEST_BYTES))
  return manifests.flatMap(({ digest, size, annotations = {} }) => {
    const type = annotations['vnd.docker.reference.type']
    if (annotations['vnd.docker.reference.digest'] !== image.manifestDescriptor.digest) return []
    return [
      { Type: type ?? 'unknown', Digest: digest, Size: size, Local: store.content.has(digest) },
    ]
  })
}
