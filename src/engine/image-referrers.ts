/** What the registries of an image's names have about it: SBOMs, provenance, signatures. */
import { TsrunError } from '../errors.ts'
import type { Image } from '../images/image-store.ts'
import { parseDigest } from '../oci/digest.ts'
import type { Descriptor } from '../oci/image.ts'
import { parseReference, repositoryName } from '../oci/reference.ts'
import type { FindEndpointOptions } from '../registry/find-endpoints.ts'
import type { MirroredClient } from '../registry/mirrored-client.ts'
import type { RegistryClientOptions } from '../registry/registry-client.ts'

export interface Referrer {
  readonly Repository: string
  /** Digest of the index or manifest that it is about. */
  readonly Subject: string
  readonly ArtifactType: string
  readonly MediaType: string
  readonly Digest: string
  readonly Size: number
  readonly Annotations: Readonly<Record<string, string>>
  /** The tag that it was found by, for cosign's way of before the API. */
  readonly Tag?: string
}

export interface ReferrerOptions
  extends FindEndpointOptions,
    Pick<RegistryClientOptions, 'retry' | 'credentials'> {
  readonly signal?: AbortSignal | undefined
}

/** cosign's tags `sha256-<hex>.sig` and so on, with what they hold. */
const COSIGN_TAGS = {
  sig: 'application/vnd.dev.cosign.artifact.sig.v1+json',
  att: 'application/vnd.dev.cosign.artifact.att.v1+json',
  sbom: 'application/vnd.dev.cosign.artifact.sbom.v1+json',
} as const

/** Asks each repository that the image has a name of, for its index and for its manifest. Nothing is fetched but lists. */
export async function referrersOf(
  image: Image,
  options: ReferrerOptions = {},
): Promise<readonly Referrer[]> {
  const repositories = new Map(
    image.names.map((name) => {
      const { domain, path } = parseReference(name)
      return [repositoryName({ domain, path }), { domain, path }] as const
    }),
  )
  if (repositories.size === 0)
    throw new TsrunError(
      'failed-precondition',
      `cannot list the referrers of image "${image.id}": it has no name that says whose registry to ask`,
      { hint: 'tsrun tag gives it one' },
    )
  const { endpointsToPull } = await import('../registry/find-endpoints.ts')
  const { MirroredClient } = await import('../registry/mirrored-client.ts')
  const subjects = [...new Set([image.target.digest, image.manifestDescriptor.digest])]
  const found: Referrer[] = []
  for (const [repository, reference] of repositories) {
    using client = new MirroredClient(await endpointsToPull(reference, options), options)
    for (const subject of subjects) {
      const listed = await client.listReferrers(subject, options.signal)
      found.push(...listed.map((one) => referrer(repository, subject, one)))
      found.push(...(await taggedByCosign(client, repository, subject, options.signal)))
    }
  }
  return found
}

async function taggedByCosign(
  client: MirroredClient,
  repository: string,
  subject: string,
  signal: AbortSignal | undefined,
): Promise<readonly Referrer[]> {
  const { algorithm, hex } = parseDigest(subject)
  const found: Referrer[] = []
  for (const [suffix, artifactType] of Object.entries(COSIGN_TAGS)) {
    const tag = `${algorithm}-${hex}.${suffix}`
    try {
      const { mediaType, digest, bytes } = await client.getManifest(tag, signal)
      const descriptor = { mediaType, digest, size: bytes.length, artifactType }
      found.push({ ...referrer(repository, subject, descriptor), Tag: tag })
    } catch (error) {
      // Most images have none of them.
      if (!(error instanceof TsrunError && error.kind === 'not-found')) throw error
    }
  }
  return found
}

function referrer(repository: string, subject: string, descriptor: Descriptor): Referrer {
  return {
    Repository: repository,
    Subject: subject,
    ArtifactType: descriptor.artifactType ?? '',
    MediaType: descriptor.mediaType,
    Digest: descriptor.digest,
    Size: descriptor.size,
    Annotations: descriptor.annotations ?? {},
  }
}
