/** The image of a container: found in the store, or fetched first. */
import { setTimeout as sleep } from 'node:timers/promises'
import { TsrunError } from '../errors.ts'
import type { Image, ImageStore } from '../images/image-store.ts'
import type { PullProgress } from '../images/pull.ts'
import { type Platform, parsePlatform } from '../oci/platform.ts'
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
  const local = request.pull === 'always' ? undefined : findLocal(store, request.image, platform)
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
  const { pull } = await import('./images.ts')
  return await pull(engine, {
    name: image,
    platform,
    signal,
    ...(onPull === undefined ? {} : { onProgress: onPull }),
  })
}
