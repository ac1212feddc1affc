/** Brings all layers of an image into the store: a few at once, made visible from the base up. */
import { TsrunError } from '../errors.ts'
import type { ImageConfig, ImageManifest } from '../oci/image.ts'
import { layerCompression } from '../oci/media-types.ts'
import { pairLayers } from '../oci/parse-image.ts'
import { chainIdsOf } from '../snapshots/chain-id.ts'
import { createLimiter } from '../util/limiter.ts'
import {
  type FetchedLayer,
  fetchLayer,
  type LayerFetcherOptions,
  type LayerWork,
} from './layer-fetcher.ts'

/** Layers at once: enough to fill a line, few enough for the memory bound. */
const PARALLEL_LAYERS = 3

/**
 * Fetches and unpacks every layer that is missing. Each one is committed as soon as those below it are:
 * what is finished stays when a later one fails.
 */
export async function storeLayers(
  manifest: ImageManifest,
  config: ImageConfig,
  options: Omit<LayerFetcherOptions, 'signal'> & { readonly signal?: AbortSignal | undefined },
): Promise<void> {
  const works = planLayers(manifest, config)
  const abort = new AbortController()
  const signal =
    options.signal === undefined ? abort.signal : AbortSignal.any([options.signal, abort.signal])
  const limit = createLimiter(PARALLEL_LAYERS)
  let below: Promise<void> = Promise.resolve()
  const committed = works.map((work) => {
    options.onProgress(work, 'waiting', 0)
    const fetching = limit(async () => {
      signal.throwIfAborted()
      return await fetchLayer(work, { ...options, signal })
    })
    below = commitAfter(below, fetching)
    return below
  })
  let first: { readonly error: unknown } | undefined
  const failed = (error: unknown): void => {
    first ??= { error }
    abort.abort(error)
  }
  await Promise.all(committed.map((done) => done.catch(failed)))
  if (first !== undefined) throw (first as { error: unknown }).error
}

/** The layers with their chains; refuses what is not a layer of files. */
export function planLayers(manifest: ImageManifest, config: ImageConfig): readonly LayerWork[] {
  const pairs = pairLayers(manifest, config)
  const chainIds = chainIdsOf(config.rootfs.diff_ids)
  return pairs.map(({ descriptor, diffId }, i) => {
    if (layerCompression(descriptor.mediaType) === undefined) {
      throw new TsrunError(
        'not-implemented',
        `cannot use layer "${descriptor.digest}": its type ${JSON.stringify(descriptor.mediaType)} is not a file system layer`,
      )
    }
    return { descriptor, diffId, chainId: chainIds[i] ?? '', below: chainIds.slice(0, i) }
  })
}

async function commitAfter(below: Promise<void>, fetching: Promise<FetchedLayer>): Promise<void> {
  const [before, fetched] = await Promise.allSettled([below, fetching])
  if (fetched.status === 'rejected') {
    // The error of the layer itself, unless it only followed another's.
    throw before.status === 'rejected' ? before.reason : fetched.reason
  }
  try {
    if (before.status === 'rejected') throw before.reason
    await fetched.value.commit()
  } finally {
    fetched.value.dispose()
  }
}
