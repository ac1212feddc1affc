/** Lists what a registry has about an image: SBOMs, provenance, signatures (distribution-spec "Listing Referrers"). */
import { TsrunError } from '../errors.ts'
import { parseDigest } from '../oci/digest.ts'
import type { Descriptor } from '../oci/image.ts'
import { MANIFEST_ACCEPT, OCI_INDEX } from '../oci/media-types.ts'
import { MAX_MANIFEST_BYTES, parseImageIndex } from '../oci/parse-image.ts'
import { nextPage } from './next-page.ts'
import { failed } from './registry-errors.ts'
import type { RegistryRequests } from './registry-requests.ts'
import { type RegistryEndpoint, repositoryPath } from './resolve-reference.ts'

const MAX_PAGES = 20
/** What registries answer that do not know the API. */
const UNKNOWN: readonly number[] = [404, 405, 501]

/**
 * Descriptors of the manifests whose subject is `digest`, with artifactType and annotations. A registry without the API
 * is asked for the tag that clients keep instead of it, `sha256-<hex>`.
 */
export async function listReferrers(
  requests: RegistryRequests,
  endpoint: RegistryEndpoint,
  digest: string,
  signal?: AbortSignal,
): Promise<readonly Descriptor[]> {
  const what = `the referrers of "${endpoint.repository}@${digest}"`
  const found: Descriptor[] = []
  const seen = new Set<string>()
  const first = `${repositoryPath(endpoint)}/referrers/${digest}`
  for (let path: string | undefined = first; path !== undefined; ) {
    if (seen.has(path) || seen.size >= MAX_PAGES)
      throw malformed(endpoint, what, 'its pages do not end')
    seen.add(path)
    const headers = { accept: OCI_INDEX }
    const response = await requests.send({ path, what, headers, accept: UNKNOWN, signal })
    if (!response.ok) {
      await requests.transport.finish(response)
      return await taggedReferrers(requests, endpoint, { digest, what, signal })
    }
    found.push(
      ...entriesOf(await requests.readBytes(response, MAX_MANIFEST_BYTES, what), endpoint, what),
    )
    path = nextPage(response.headers.get('link'), requests.address)
  }
  return found
}

async function taggedReferrers(
  requests: RegistryRequests,
  endpoint: RegistryEndpoint,
  { digest, what, signal }: { digest: string; what: string; signal: AbortSignal | undefined },
): Promise<readonly Descriptor[]> {
  const { algorithm, hex } = parseDigest(digest)
  const response = await requests.send({
    path: `${repositoryPath(endpoint)}/manifests/${algorithm}-${hex}`,
    what,
    headers: { accept: MANIFEST_ACCEPT.join(', ') },
    accept: [404],
    signal,
  })
  if (!response.ok) {
    await requests.transport.finish(response)
    return []
  }
  return entriesOf(await requests.readBytes(response, MAX_MANIFEST_BYTES, what), endpoint, what)
}

function entriesOf(bytes: Buffer, endpoint: RegistryEndpoint, what: string): readonly Descriptor[] {
  try {
    return parseImageIndex(bytes).manifests
  } catch (cause) {
    throw malformed(endpoint, what, 'it answered no index', cause)
  }
}

function malformed(
  { host }: RegistryEndpoint,
  what: string,
  problem: string,
  cause?: unknown,
): TsrunError {
  return new TsrunError('unavailable', `${failed('get', what, host)}: ${problem}`, { cause })
}
