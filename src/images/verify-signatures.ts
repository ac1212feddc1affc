/**
 * Verifies cosign's signatures of an image by public key: the manifest `sha256-<hex>.sig` beside the image, whose
 * layers are what was signed ("simple signing") and whose annotations are the signatures.
 */
import { type KeyObject, verify } from 'node:crypto'
import { TsrunError } from '../errors.ts'
import { parseDigest } from '../oci/digest.ts'
import type { Descriptor } from '../oci/image.ts'
import { parseImageManifest } from '../oci/parse-image.ts'
import {
  formatReference,
  type ImageReference,
  parseReference,
  repositoryName,
} from '../oci/reference.ts'
import type { FetchedManifest } from '../registry/registry-client.ts'
import type { Requirement, SignedIdentity } from './signature-policy.ts'

/** What of a registry is needed. */
export interface SignatureSource {
  getManifest(name: string, signal?: AbortSignal): Promise<FetchedManifest>
  streamBlob(descriptor: Descriptor, offset: number, signal?: AbortSignal): AsyncIterable<Buffer>
}

export interface SignedImage {
  readonly reference: ImageReference
  /** Of the index and of the manifest in it: a signature of either says the same, by the digests between them. */
  readonly digests: readonly string[]
  readonly signal?: AbortSignal | undefined
}

const SIMPLE_SIGNING = 'application/vnd.dev.cosign.simplesigning.v1+json'
const SIGNATURE = 'dev.cosignproject.cosign/signature'
const MAX_PAYLOAD_BYTES = 64 * 1024
const MAX_SIGNATURES = 64

/** Throws `permission-denied` unless every requirement is met. */
export async function checkRequirements(
  requirements: readonly Requirement[],
  image: SignedImage,
  source: SignatureSource,
): Promise<void> {
  for (const requirement of requirements) {
    if (requirement.type === 'insecureAcceptAnything') continue
    const name = formatReference(image.reference)
    if (requirement.type !== 'sigstoreSigned')
      throw new TsrunError(
        'permission-denied',
        `cannot use image "${name}": policy.json rejects it`,
      )
    await checkSigned(requirement, image, source)
  }
}

async function checkSigned(
  requirement: Extract<Requirement, { type: 'sigstoreSigned' }>,
  image: SignedImage,
  source: SignatureSource,
): Promise<void> {
  const problems: string[] = []
  for (const digest of image.digests) {
    for await (const { payload, signature } of signaturesOf(digest, image, source)) {
      const problem = problemOf(payload, signature, { digest, image, requirement })
      if (problem === undefined) return
      problems.push(problem)
    }
  }
  throw new TsrunError(
    'permission-denied',
    `cannot use image "${formatReference(image.reference)}": ${problems.length === 0 ? 'it has no signature, and policy.json wants one' : `no signature of it is good: ${[...new Set(problems)].join('; ')}`}`,
    { hint: `cosign sign --key KEY ${repositoryName(image.reference)}@${image.digests[0]}` },
  )
}

interface Signature {
  readonly payload: Buffer
  readonly signature: Buffer
}

async function* signaturesOf(
  digest: string,
  { signal }: SignedImage,
  source: SignatureSource,
): AsyncGenerator<Signature> {
  const { algorithm, hex } = parseDigest(digest)
  let manifest: FetchedManifest
  try {
    manifest = await source.getManifest(`${algorithm}-${hex}.sig`, signal)
  } catch (error) {
    if (error instanceof TsrunError && error.kind === 'not-found') return
    throw error
  }
  const { layers } = parseImageManifest(manifest.bytes)
  for (const layer of layers.slice(0, MAX_SIGNATURES)) {
    const signature = layer.annotations?.[SIGNATURE]
    if (layer.mediaType !== SIMPLE_SIGNING || signature === undefined) continue
    if (layer.size > MAX_PAYLOAD_BYTES) continue
    const chunks: Buffer[] = []
    for await (const chunk of source.streamBlob(layer, 0, signal)) chunks.push(chunk)
    yield { payload: Buffer.concat(chunks), signature: Buffer.from(signature, 'base64') }
  }
}

/** Why a signature does not count; undefined when it does. Nothing of the payload is believed before its signature is good. */
export function problemOf(
  payload: Buffer,
  signature: Buffer,
  {
    digest,
    image,
    requirement,
  }: {
    readonly digest: string
    readonly image: Pick<SignedImage, 'reference'>
    readonly requirement: {
      readonly keys: readonly KeyObject[]
      readonly identity: SignedIdentity
    }
  },
): string | undefined {
  if (!requirement.keys.some((key) => isSignedBy(key, payload, signature)))
    return 'made with another key'
  const critical = criticalOf(payload)
  if (critical === undefined) return 'what was signed is no image'
  if (critical.digest !== digest) return `made for ${critical.digest}`
  if (!isIdentity(critical.reference, image.reference, requirement.identity))
    return `made for the name ${JSON.stringify(critical.reference)}`
  return undefined
}

function isSignedBy(key: KeyObject, payload: Buffer, signature: Buffer): boolean {
  const algorithm = key.asymmetricKeyType === 'ed25519' ? null : 'sha256'
  try {
    return verify(algorithm, payload, key, signature)
  } catch {
    // A signature of a form that this kind of key cannot have made.
    return false
  }
}

function criticalOf(payload: Buffer): { digest: string; reference: string } | undefined {
  let value: unknown
  try {
    value = JSON.parse(payload.toString('utf8'))
  } catch {
    return undefined
  }
  const at = (...path: readonly string[]): unknown =>
    path.reduce<unknown>(
      (object, key) =>
        typeof object === 'object' && object !== null && Object.hasOwn(object, key)
          ? Reflect.get(object, key)
          : undefined,
      value,
    )
  const digest = at('critical', 'image', 'docker-manifest-digest')
  const reference = at('critical', 'identity', 'docker-reference')
  const type = at('critical', 'type')
  if (typeof digest !== 'string' || typeof reference !== 'string') return undefined
  if (type !== 'cosign container image signature') return undefined
  return { digest, reference }
}

// cosign signs the repository alone; a signature that names a tag or digest must name the one that is pulled.
function isIdentity(signed: string, wanted: ImageReference, { type }: SignedIdentity): boolean {
  let reference: ImageReference
  try {
    reference = parseReference(signed)
  } catch {
    return false
  }
  if (repositoryName(reference) !== repositoryName(wanted)) return false
  if (type === 'matchRepository') return true
  // A name alone stands for no tag, also not for latest.
  const isWhole = signed.includes('@') || signed.lastIndexOf(':') > signed.lastIndexOf('/')
  const isExact = isWhole && formatReference(reference) === formatReference(wanted)
  return isExact || (type === 'matchRepoDigestOrExact' && wanted.digest !== undefined)
}
