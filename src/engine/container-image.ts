/** The image of a container: found in the store, or fetched first. */
import { setTimeout as sleep } from 'node:timers/promises'
import { TsrunError } from '../errors.ts'
import type { Image, ImageStore } from '../images/image-store.ts'
import type { PullProgress } from '../images/pull.ts'
import { type Platform, parsePlatform } from '../oci/platform.ts'
import { formatReference } from '../oci/reference.ts'
import type { ContainerImage } from './build-container.ts'
import type { Engine } from './engine.ts'
import type { RunRequest } from './run-request.ts'

export type { PullProgress }

export interface ImageOptions {
  readonly signal?: AbortSignal | undefined
  readonly onPull?: ((event: PullProgress) => void) | undefined
}

/** The request's image; undefined when it names a root filesystem instead. */
export async function imageOf(
  engine: Engine,
  request: RunRequest,
  options: ImageOptions = {},
): Promise<ContainerImage | undefined> {
  if (request.rootfs !== undefined) return undefined
  const { openImageStore } = await import('../images/open-image-store.ts')
  const store = openImageStore(engine.dataRoot)
  const platform =
    request.platform === undefined ? undefined : parsePlatform(request.platform, store.hostPlatform)
  const local =
    request.pull === 'always' ? undefined : await findByName(store, request.image, platform)
  if (local === undefined && request.pull === 'never') {
    throw new TsrunError(
      'not-found',
      `cannot find image "${request.image}", and --pull never forbids to fetch it`,
    )
  }
  const image = local ?? (await fetchPatiently(engine, request, options))
  return {
    reference: request.image,
    id: image.id,
    process: image.config.config ?? {},
    chainIds: image.chainIds,
  }
}

// A short name that registries.conf looks for elsewhere is here under the name of that registry.
async function findByName(
  store: ImageStore,
  text: string,
  platform: Platform | undefined,
): Promise<Image | undefined> {
  const found = findLocal(store, text, platform)
  if (found !== undefined || store.wholeName(text) === undefined) return found
  const { candidateReferences } = await import('../registry/find-endpoints.ts')
  for (const reference of await candidateReferences(text)) {
    const image = findLocal(store, formatReference(reference), platform)
    if (image !== undefined) return image
  }
  return undefined
}

// An image that is here for another platform only counts as missing.
function findLocal(
  store: ImageStore,
  text: string,
  platform: Platform | undefined,
): Image | undefined {
  try {
    return store.find(text, platform)
  } catch (error) {
    if (platform !== undefined && error instanceof TsrunError && error.kind === 'not-found')
      return undefined
    throw error
  }
}

// What the registry or the network cannot do now it may do in a moment.
async function fetchPatiently(
  engine: Engine,
  request: RunRequest,
  options: ImageOptions,
): Promise<Image> {
  const { times = 0, delay } = request.retry ?? {}
  for (let attempt = 0; ; attempt++) {
    try {
      return await fetchImage(engine, request, options)
    } catch (error) {
      const isPassing = error instanceof TsrunError && error.kind === 'unavailable'
      if (!isPassing || attempt >= times || options.signal?.aborted === true) throw error
      const seconds = delay ?? 2 ** attempt
      await sleep(seconds * 1000, undefined, options.signal && { signal: options.signal })
    }
  }
}

async function fetchImage(
  engine: Engine,
  { image, platform }: RunRequest,
  { onPull, signal }: ImageOptions,
): Promise<Image> {
  const { pull } = await import('./pull-image.ts')
  return await pull(engine, {
    name: image,
    platform,
    signal,
    ...(onPull === undefined ? {} : { onProgress: onPull }),
  })
}
