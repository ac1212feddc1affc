/** Brings one layer into the store: blob and unpacked folder at the same time, each verified. */
import { ByteChannel } from '../archive/byte-channel.ts'
import { gathered } from '../archive/gathered.ts'
import type { ContentStore, Ingest } from '../content/content-store.ts'
import { TsrunError } from '../errors.ts'
import type { Descriptor } from '../oci/image.ts'
import type { LayerDraft, Snapshotter } from '../snapshots/snapshotter.ts'
import { isHostRoot } from '../util/host-user.ts'
import type { AppliedLayer } from './apply-layer.ts'
import { finishLayer } from './finish-layer.ts'
import { unpackLayer } from './unpack.ts'

/** Bytes of a download that wait for the disk and the unpacking; so many layers at once have as much again. */
const READ_AHEAD = 512 * 1024

export interface LayerWork {
  readonly descriptor: Descriptor
  readonly diffId: string
  readonly chainId: string
  /** Chain IDs of the layers below, from the base up. */
  readonly below: readonly string[]
}

export type LayerPhase = 'waiting' | 'downloading' | 'unpacking' | 'done' | 'exists'

export interface LayerFetcherOptions {
  readonly content: ContentStore
  readonly snapshots: Snapshotter
  /** The blob's bytes from `offset` on, from wherever the image comes from. */
  readonly open: (
    descriptor: Descriptor,
    offset: number,
    signal: AbortSignal,
  ) => AsyncIterable<Buffer>
  readonly onProgress: (work: LayerWork, phase: LayerPhase, bytes: number) => void
  /** Bytes that a compressed layer may become, in place of the rule of {@link checkInflation}. */
  readonly maxInflated?: number | undefined
  readonly signal: AbortSignal
}

/** A layer that is in its place already, or waits for those below it. */
export interface FetchedLayer {
  /** Makes the layer visible; the layers below must be. */
  commit(): Promise<void>
  dispose(): void
}

/** Where overlayfs looks, by who mounts it (overlayfs.rst, `userxattr`). */
function overlayXattrs(): 'trusted' | 'user' {
  return isHostRoot() ? 'trusted' : 'user'
}

/** Fetches and unpacks what is missing. The caller commits or disposes the result in any case. */
export async function fetchLayer(
  work: LayerWork,
  options: LayerFetcherOptions,
): Promise<FetchedLayer> {
  const draft = await options.snapshots.startLayer(work.chainId)
  if (draft === undefined) {
    await fetchBlobOnly(work, options)
    return { commit: async () => {}, dispose: () => {} }
  }
  try {
    const applied = await fetchAndUnpack(work, draft, options)
    return {
      commit: () => commitLayer(work, draft, applied, options),
      dispose: () => draft[Symbol.dispose](),
    }
  } catch (error) {
    draft[Symbol.dispose]()
    throw error
  }
}

async function commitLayer(
  work: LayerWork,
  draft: LayerDraft,
  applied: AppliedLayer,
  options: LayerFetcherOptions,
): Promise<void> {
  const below = options.snapshots.layerFolders(work.below)
  finishLayer(applied, { folder: draft.folder, below, overlayXattrs: overlayXattrs() })
  const parent = work.below.at(-1)
  await draft.commit({
    diffId: work.diffId,
    size: applied.size,
    ...(parent === undefined ? {} : { parent }),
  })
  draft[Symbol.dispose]()
  options.onProgress(work, 'done', work.descriptor.size)
}

async function fetchBlobOnly(work: LayerWork, options: LayerFetcherOptions): Promise<void> {
  using ingest = await options.content.openIngest(work.descriptor)
  if (ingest !== undefined) await download(work, ingest, options, async () => {})
  options.onProgress(work, 'exists', work.descriptor.size)
}

async function fetchAndUnpack(
  work: LayerWork,
  draft: LayerDraft,
  options: LayerFetcherOptions,
): Promise<AppliedLayer> {
  using ingest = await options.content.openIngest(work.descriptor)
  if (ingest !== undefined) return await downloadAndUnpack(work, draft, ingest, options)
  options.onProgress(work, 'unpacking', work.descriptor.size)
  return await unpackLayer(
    options.content.stream(work.descriptor.digest),
    unpackOptions(work, draft, options),
  )
}

async function downloadAndUnpack(
  work: LayerWork,
  draft: LayerDraft,
  ingest: Ingest,
  options: LayerFetcherOptions,
): Promise<AppliedLayer> {
  const channel = new ByteChannel()
  const stop = new AbortController()
  const signal = AbortSignal.any([options.signal, stop.signal])
  const unpacking = unpackLayer(channel, unpackOptions(work, draft, { ...options, signal })).then(
    (applied) => ({ applied }),
    (error: unknown) => {
      // A layer that does not unpack is still fetched to its end: if the blob itself is damaged, that is
      // what the user must hear. With a full disk there is no point in going on.
      channel.abandon()
      if (!isContentFault(error)) stop.abort(error)
      return { error }
    },
  )
  try {
    await download(work, ingest, { ...options, signal }, (chunk) => channel.push(chunk))
    channel.end()
  } catch (error) {
    channel.fail(error)
    await unpacking
    throw error
  }
  options.onProgress(work, 'unpacking', work.descriptor.size)
  const result = await unpacking
  if ('error' in result) throw result.error
  return result.applied
}

async function download(
  work: LayerWork,
  ingest: Ingest,
  options: LayerFetcherOptions,
  onChunk: (chunk: Buffer) => Promise<void>,
): Promise<void> {
  let bytes = 0
  for await (const chunk of ingest.replay()) {
    bytes += chunk.length
    options.onProgress(work, 'downloading', bytes)
    await onChunk(chunk)
  }
  options.onProgress(work, 'downloading', bytes)
  if (bytes < work.descriptor.size) {
    const source = options.open(work.descriptor, bytes, options.signal)
    for await (const chunk of gathered(source, READ_AHEAD)) {
      options.signal.throwIfAborted()
      await ingest.write(chunk)
      bytes += chunk.length
      options.onProgress(work, 'downloading', bytes)
      await onChunk(chunk)
    }
  }
  await ingest.commit()
}

function unpackOptions(
  work: LayerWork,
  draft: LayerDraft,
  { signal, maxInflated }: LayerFetcherOptions,
) {
  return {
    folder: draft.folder,
    diffId: work.diffId,
    digest: work.descriptor.digest,
    isBase: work.below.length === 0,
    overlayXattrs: overlayXattrs(),
    inflation: { packedSize: work.descriptor.size, maximum: maxInflated },
    signal,
  } as const
}

function isContentFault(error: unknown): boolean {
  return (
    error instanceof TsrunError &&
    (error.kind === 'invalid-argument' || error.kind === 'not-implemented')
  )
}
