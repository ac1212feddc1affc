/** Pulls an image from a registry: manifest, config, layers, and at the very end its name. */
import { TsrunError } from '../errors.ts'
import type { Descriptor, ImageConfig, ImageManifest } from '../oci/image.ts'
import { DOCKER_SCHEMA1, isSchema1Type, OCI_INDEX, OCI_MANIFEST } from '../oci/media-types.ts'
import {
  detectManifestKind,
  MAX_CONFIG_BYTES,
  MAX_MANIFEST_BYTES,
  parseImageConfig,
  parseImageIndex,
  parseImageManifest,
} from '../oci/parse-image.ts'
import { choosePlatform, type Platform } from '../oci/platform.ts'
import { formatReference, type ImageReference } from '../oci/reference.ts'
import { endpointsToPull, type FindEndpointOptions } from '../registry/find-endpoints.ts'
import { MirroredClient } from '../registry/mirrored-client.ts'
import type { FetchedManifest, RegistryClientOptions } from '../registry/registry-client.ts'
import { manifestName } from '../registry/resolve-reference.ts'
import type { Image, ImageStore } from './image-store.ts'
import type { LayerPhase } from './layer-fetcher.ts'
import { noPlatform, readImage, runnableManifests } from './read-image.ts'
import { readSignaturePolicy, requirementsFor } from './signature-policy.ts'
import { storeLayers } from './store-layers.ts'
import { checkRequirements } from './verify-signatures.ts'

export interface PullOptions extends Omit<RegistryClientOptions, 'env'>, FindEndpointOptions {
  /** Default: the platform of this machine. */
  readonly platform?: Platform | undefined
  /** Digest of the manifest or index that the name must stand for, whatever the registry says today. */
  readonly pinned?: string | undefined
  readonly onProgress?: (event: PullProgress) => void
  readonly signal?: AbortSignal | undefined
}

export type PullProgress =
  /** The manifest is known; `layers` in the order of the image. */
  | { readonly type: 'resolved'; readonly digest: string; readonly layers: readonly Descriptor[] }
  | {
      readonly type: 'layer'
      readonly digest: string
      readonly phase: LayerPhase
      readonly bytes: number
      readonly size: number
    }

/** Pulls `reference` and returns the image. What an earlier, broken pull has left is used. */
export async function pullImage(
  store: ImageStore,
  reference: ImageReference,
  options: PullOptions = {},
): Promise<Image> {
  using client = new MirroredClient(await endpointsToPull(reference, options), options)
  using _ = await store.content.hold()
  const top = await topManifest(
    client,
    store,
    options.pinned ?? manifestName(reference),
    options.signal,
  )
  const name = nameOf(reference)
  if (isSchema1Type(top.mediaType)) throw schema1(name)
  const target = await storeDocument(store, top.bytes, top.digest, top.mediaType)
  const { descriptor, bytes } = await choose(client, store, {
    target,
    bytes: top.bytes,
    name,
    options,
  })
  await checkPolicy(client, reference, [target.digest, descriptor.digest], options)
  const manifest = parseImageManifest(bytes)
  const config = await fetchConfig(client, store, manifest, options.signal)
  checkPlatform(config, descriptor, { name, wanted: options.platform })
  options.onProgress?.({ type: 'resolved', digest: target.digest, layers: manifest.layers })
  await storeLayers(manifest, config, {
    content: store.content,
    snapshots: store.snapshots,
    maxInflated: store.maxInflated,
    open: (layer, offset, signal) => client.streamBlob(layer, offset, signal),
    onProgress: (work, phase, bytes) => {
      const { digest, size } = work.descriptor
      options.onProgress?.({ type: 'layer', digest, phase, bytes, size })
    },
    signal: options.signal,
  })
  await store.names.set(name, target)
  return readImage(store, target, [name], options.platform)
}

// Before anything but documents is fetched. What is here already was checked when it came, by the policy of then.
async function checkPolicy(
  client: MirroredClient,
  reference: ImageReference,
  digests: readonly string[],
  { etc, signal }: PullOptions,
): Promise<void> {
  const policy = readSignaturePolicy(etc)
  if (policy === undefined) return
  const image = { reference, digests: [...new Set(digests)], signal }
  await checkRequirements(requirementsFor(policy, reference), image, client)
}

// What a digest names cannot change: when it is here, the registry is not asked.
async function topManifest(
  client: MirroredClient,
  store: ImageStore,
  name: string,
  signal: AbortSignal | undefined,
): Promise<FetchedManifest> {
  if (!name.includes(':') || !store.content.has(name)) return await client.getManifest(name, signal)
  return { mediaType: '', digest: name, bytes: store.content.read(name, MAX_MANIFEST_BYTES) }
}

/** The name under which a pulled image is kept: a digest replaces the tag, which may move. */
function nameOf({ domain, path, tag, digest }: ImageReference): string {
  if (digest !== undefined) return formatReference({ domain, path, digest })
  return formatReference({ domain, path, ...(tag === undefined ? {} : { tag }) })
}

async function storeDocument(
  store: ImageStore,
  bytes: Buffer,
  digest: string,
  said: string,
): Promise<Descriptor> {
  const kind = detectManifestKind(bytes)
  if (kind === 'unknown') {
    throw new TsrunError(
      'invalid-argument',
      `cannot use "${digest}": it is neither an image manifest nor an index (${said || 'no content type'})`,
    )
  }
  // Parsed before it is stored: nothing malformed gets in.
  if (kind === 'index') parseImageIndex(bytes)
  else parseImageManifest(bytes)
  const declared: unknown = Reflect.get(JSON.parse(bytes.toString('utf8')) as object, 'mediaType')
  const mediaType =
    typeof declared === 'string' && declared !== ''
      ? declared
      : kind === 'index'
        ? OCI_INDEX
        : OCI_MANIFEST
  return { mediaType, ...(await store.content.write(bytes, digest)) }
}

interface Choice {
  readonly target: Descriptor
  readonly bytes: Buffer
  readonly name: string
  readonly options: PullOptions
}

const MAX_INDEX_DEPTH = 3

async function choose(
  client: MirroredClient,
  store: ImageStore,
  { target, bytes, name, options }: Choice,
): Promise<{ readonly descriptor: Descriptor; readonly bytes: Buffer }> {
  const wanted = options.platform ?? store.hostPlatform
  let current = { descriptor: target, bytes }
  for (let depth = 0; detectManifestKind(current.bytes) === 'index'; depth++) {
    if (depth >= MAX_INDEX_DEPTH)
      throw new TsrunError(
        'invalid-argument',
        `cannot use image "${name}": its indexes are nested too deeply`,
      )
    const { manifests } = parseImageIndex(current.bytes)
    const offered = runnableManifests(manifests)
    const descriptor = choosePlatform(wanted, offered)
    if (descriptor === undefined) throw noPlatform(name, wanted, offered)
    current = { descriptor, bytes: await fetchManifest(client, store, descriptor, options.signal) }
  }
  return current
}

async function fetchManifest(
  client: MirroredClient,
  store: ImageStore,
  descriptor: Descriptor,
  signal: AbortSignal | undefined,
): Promise<Buffer> {
  if (store.content.has(descriptor.digest))
    return store.content.read(descriptor.digest, MAX_MANIFEST_BYTES)
  const { bytes, mediaType } = await client.getManifest(descriptor.digest, signal)
  if (bytes.length !== descriptor.size) {
    throw new TsrunError(
      'invalid-argument',
      `cannot use manifest "${descriptor.digest}" from registry "${client.host}": it has ${bytes.length} bytes, where the index says ${descriptor.size}`,
    )
  }
  await storeDocument(store, bytes, descriptor.digest, mediaType)
  return bytes
}

async function fetchConfig(
  client: MirroredClient,
  store: ImageStore,
  manifest: ImageManifest,
  signal: AbortSignal | undefined,
): Promise<ImageConfig> {
  const descriptor = manifest.config
  if (descriptor.size > MAX_CONFIG_BYTES) {
    throw new TsrunError(
      'invalid-argument',
      `cannot use config "${descriptor.digest}": it is larger than ${MAX_CONFIG_BYTES} bytes`,
    )
  }
  using ingest = await store.content.openIngest(descriptor)
  if (ingest !== undefined) {
    let offset = 0
    for await (const chunk of ingest.replay()) offset += chunk.length
    for await (const chunk of client.streamBlob(descriptor, offset, signal))
      await ingest.write(chunk)
    await ingest.commit()
  }
  return parseImageConfig(store.content.read(descriptor.digest, MAX_CONFIG_BYTES))
}

// An image without index says its platform in its config only. Docker takes what there is; a platform
// that was asked for by name must fit.
function checkPlatform(
  config: ImageConfig,
  descriptor: Descriptor,
  { name, wanted }: { name: string; wanted: Platform | undefined },
): void {
  if (wanted === undefined) return
  const own: Platform = {
    os: config.os,
    architecture: config.architecture,
    ...(config.variant === undefined ? {} : { variant: config.variant }),
  }
  const offered = [{ ...descriptor, platform: own }]
  if (choosePlatform(wanted, offered) === undefined) throw noPlatform(name, wanted, offered)
}

function schema1(name: string): TsrunError {
  return new TsrunError(
    'not-implemented',
    `cannot use image "${name}": it has the old format ${DOCKER_SCHEMA1}`,
    {
      hint: 'push the image again with a current tool',
    },
  )
}
