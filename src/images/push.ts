/** Pushes an image to a registry: blobs first, then manifests, the tag at the very end. */
import { TsrunError } from '../errors.ts'
import type { Descriptor } from '../oci/image.ts'
import { isIndexType } from '../oci/media-types.ts'
import { MAX_MANIFEST_BYTES, parseImageIndex, parseImageManifest } from '../oci/parse-image.ts'
import { formatReference, type ImageReference, parseReference } from '../oci/reference.ts'
import { endpointToPush, type FindEndpointOptions } from '../registry/find-endpoints.ts'
import { RegistryClient, type RegistryClientOptions } from '../registry/registry-client.ts'
import { createLimiter } from '../util/limiter.ts'
import type { Image, ImageStore } from './image-store.ts'
import { blobsOf } from './read-image.ts'

export interface PushOptions extends Omit<RegistryClientOptions, 'env'>, FindEndpointOptions {
  /** Only the image for one platform instead of all; found by {@link ImageStore.resolve}. */
  readonly onlyManifest?: boolean
  readonly chunkBytes?: number
  readonly onProgress?: (event: PushProgress) => void
  readonly signal?: AbortSignal | undefined
}

export type PushPhase = 'waiting' | 'uploading' | 'exists' | 'mounted' | 'done'

export type PushProgress =
  | { readonly type: 'resolved'; readonly digest: string; readonly layers: readonly Descriptor[] }
  | {
      readonly type: 'layer'
      readonly digest: string
      readonly phase: PushPhase
      readonly bytes: number
      readonly size: number
    }
  /** Of an index only this one image could be pushed: the others are not here. */
  | { readonly type: 'single-platform'; readonly missing: readonly string[] }

export interface PushResult {
  /** What the tag leads to now. */
  readonly descriptor: Descriptor
  readonly reference: ImageReference
}

const PARALLEL_BLOBS = 3
const NONDISTRIBUTABLE = /nondistributable|\.foreign\./

/** Pushes `image` as `reference`. */
export async function pushImage(
  store: ImageStore,
  image: Image,
  reference: ImageReference,
  options: PushOptions = {},
): Promise<PushResult> {
  using _ = await store.content.hold()
  const endpoint = await endpointToPush(reference, options)
  // Where names are rewritten, other names are as well, and not all alike.
  const isPlain = endpoint.repository === reference.path
  const sources: ReadonlyMap<string, string> = isPlain ? mountSources(store, reference) : new Map()
  const scope = [
    `repository:${endpoint.repository}:pull,push`,
    ...[...new Set(sources.values())].map((path) => `repository:${path}:pull`),
  ].join(' ')
  using client = new RegistryClient(endpoint, { ...options, scope })
  const push = new ImagePush(store, client, sources, options)
  const target = await push.choose(image)
  await push.manifest(target, reference.tag ?? target.digest)
  return { descriptor: target, reference }
}

/** For each blob of another repository of the same registry, that repository. */
function mountSources(store: ImageStore, to: ImageReference): ReadonlyMap<string, string> {
  const sources = new Map<string, string>()
  for (const { name, target } of store.names.list()) {
    if (name === undefined) continue
    const { domain, path } = parseReference(name)
    if (domain !== to.domain || path === to.path) continue
    for (const digest of blobsOf(store, target).blobs) sources.set(digest, path)
  }
  return sources
}

class ImagePush {
  readonly #store: ImageStore
  readonly #client: RegistryClient
  readonly #sources: ReadonlyMap<string, string>
  readonly #options: PushOptions
  readonly #limit = createLimiter(PARALLEL_BLOBS)
  /** A blob that two manifests share goes once. */
  readonly #manifests = new Set<string>()
  readonly #blobs = new Map<string, Promise<void>>()

  constructor(
    store: ImageStore,
    client: RegistryClient,
    sources: ReadonlyMap<string, string>,
    options: PushOptions,
  ) {
    this.#store = store
    this.#client = client
    this.#sources = sources
    this.#options = options
  }

  /** The index when all of it is here or there already; otherwise the one image that is. */
  async choose(image: Image): Promise<Descriptor> {
    const { target, manifestDescriptor } = image
    if (this.#options.onlyManifest === true) return manifestDescriptor
    if (!isIndexType(target.mediaType)) return target
    const missing: string[] = []
    for (const { digest } of parseImageIndex(this.#read(target)).manifests) {
      if (this.#isWhole(digest)) continue
      if (!(await this.#client.hasManifest(digest, this.#options.signal))) missing.push(digest)
    }
    if (missing.length === 0) return target
    this.#options.onProgress?.({ type: 'single-platform', missing })
    return manifestDescriptor
  }

  async manifest(descriptor: Descriptor, name: string): Promise<void> {
    if (name === descriptor.digest && this.#manifests.has(name)) return
    // An index may name another ten thousand times.
    this.#manifests.add(descriptor.digest)
    const bytes = this.#read(descriptor)
    if (isIndexType(descriptor.mediaType)) {
      for (const child of parseImageIndex(bytes).manifests) {
        if (this.#isWhole(child.digest)) await this.manifest(child, child.digest)
      }
    } else {
      await this.#contents(descriptor, bytes)
    }
    const { mediaType, digest } = descriptor
    const { signal } = this.#options
    if (name === digest && (await this.#client.hasManifest(digest, signal))) return
    await this.#client.putManifest(name, { mediaType, digest, bytes }, signal)
  }

  async #contents({ digest }: Descriptor, bytes: Buffer): Promise<void> {
    const { config, layers } = parseImageManifest(bytes)
    this.#options.onProgress?.({ type: 'resolved', digest, layers })
    const abort = new AbortController()
    const outer = this.#options.signal
    const signal = outer === undefined ? abort.signal : AbortSignal.any([outer, abort.signal])
    const pushed = [config, ...layers]
      .filter(({ mediaType }) => !NONDISTRIBUTABLE.test(mediaType))
      .map((descriptor) => this.#once(descriptor, signal))
    // The first failure ends the others, and none is left running behind.
    for (const one of pushed) one.catch((error: unknown) => abort.abort(error))
    await Promise.allSettled(pushed)
    await Promise.all(pushed)
  }

  #once(descriptor: Descriptor, signal: AbortSignal): Promise<void> {
    const known = this.#blobs.get(descriptor.digest)
    if (known !== undefined) return known
    const pushing = this.#limit(() => this.#blob(descriptor, signal))
    this.#blobs.set(descriptor.digest, pushing)
    return pushing
  }

  async #blob(descriptor: Descriptor, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const { digest, size } = descriptor
    const { content } = this.#store
    if (!content.has(digest, size)) throw missingBlob(digest)
    const from = this.#sources.get(digest)
    const report = (phase: PushPhase, bytes: number): void =>
      this.#options.onProgress?.({ type: 'layer', digest, phase, bytes, size })
    report('uploading', 0)
    const { chunkBytes } = this.#options
    const result = await this.#client.pushBlob({
      descriptor,
      open: (start, end) => content.stream(digest, start, end),
      mountFrom: from === undefined ? [] : [from],
      onBytes: (sent) => report('uploading', sent),
      signal,
      ...(chunkBytes === undefined ? {} : { chunkBytes }),
    })
    report(result === 'pushed' ? 'done' : result, size)
  }

  #isWhole(digest: string): boolean {
    const { content } = this.#store
    if (!content.has(digest)) return false
    const descriptor = { mediaType: '', digest, size: 0 }
    return blobsOf(this.#store, descriptor).blobs.every((blob) => content.has(blob))
  }

  #read({ digest }: Descriptor): Buffer {
    return this.#store.content.read(digest, MAX_MANIFEST_BYTES)
  }
}

function missingBlob(digest: string): TsrunError {
  return new TsrunError(
    'failed-precondition',
    `cannot push blob "${digest}": it is not in the store`,
    { hint: 'pull the image again' },
  )
}

/** The local names of a repository, for a push of all its tags. */
export function namesOfRepository(store: ImageStore, repository: string): readonly string[] {
  const wanted = parseReference(repository)
  return store.names.list().flatMap(({ name }) => {
    if (name === undefined) return []
    const { domain, path, tag } = parseReference(name)
    const isOurs = domain === wanted.domain && path === wanted.path && tag !== undefined
    return isOurs ? [formatReference({ domain, path, tag })] : []
  })
}
