/** The image of a container: found in the store, or fetched first. */
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
  readonly onPull?: ((reference: string, event: PullProgress) => void) | undefined
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
  const image = local ?? (await pull(store, request.image, platform, options))
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

async function pull(
  store: ImageStore,
  text: string,
  platform: Platform | undefined,
  options: ImageOptions,
): Promise<Image> {
  const { pullImage } = await import('../images/pull.ts')
  const { parseReference, registryHost } = await import('../oci/reference.ts')
  const { findCredentials } = await import('../registry/credentials.ts')
  const reference = parseReference(text)
  store.sweep()
  return await pullImage(store, reference, {
    credentials: () => findCredentials(registryHost(reference)),
    platform,
    signal: options.signal,
    onProgress: (event) => options.onPull?.(text, event),
  })
}
