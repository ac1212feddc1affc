/** Blobs: each has the content that its digest says, and an image that needs it. */
import { TsrunError } from '../../errors.ts'
import type { ImageStore } from '../../images/image-store.ts'
import { humanSize } from '../../util/size.ts'
import { type Finding, REPAIR_REMEDY } from './finding.ts'

export async function* checkBlobs(store: ImageStore, quick: boolean): AsyncGenerator<Finding> {
  if (!quick) yield* checkContents(store)
  const garbage = unneeded(store)
  if (garbage.blobs.length + garbage.chainIds.length === 0) return
  yield {
    kind: 'blob',
    object: `${garbage.blobs.length} blobs and ${garbage.chainIds.length} layers`,
    problem: `no image needs these ${humanSize(garbage.bytes, 3)}: a pull or a removal was cut off`,
    remedy: `${REPAIR_REMEDY}; a new pull of the same image goes on with them`,
    repair: async () => {
      await store.collectGarbage()
      return 'removed them'
    },
  }
}

async function* checkContents({ content }: ImageStore): AsyncGenerator<Finding> {
  for (const digest of content.list()) {
    try {
      await content.verify(digest)
    } catch (error) {
      // Gone while we looked is no damage.
      if (error instanceof TsrunError && error.kind === 'not-found') continue
      if (!(error instanceof TsrunError) || error.kind !== 'failed-precondition') throw error
      yield {
        kind: 'blob',
        object: digest,
        problem: 'its content is damaged',
        remedy: `${REPAIR_REMEDY}, and pull the image again`,
        repair: async () => {
          content.remove(digest)
          return 'removed it: the next pull of its image fetches it again'
        },
      }
    }
  }
}

/** Nothing while somebody stores what has no name yet, or while the index cannot be read. */
function unneeded(store: ImageStore): {
  readonly blobs: readonly string[]
  readonly chainIds: readonly string[]
  readonly bytes: number
} {
  const nothing = { blobs: [], chainIds: [], bytes: 0 }
  // Asking for the lock would make the folders of an empty store.
  if (store.content.list().length + store.snapshots.layers().length === 0) return nothing
  using lock = store.content.tryExclusive()
  if (lock === undefined) return nothing
  try {
    const { blobs, chainIds } = store.garbage()
    const sizes = [
      ...blobs.map((digest) => store.content.sizeOf(digest) ?? 0),
      ...chainIds.map((chainId) => store.snapshots.layer(chainId)?.size ?? 0),
    ]
    return { blobs, chainIds, bytes: sizes.reduce((sum, size) => sum + size, 0) }
  } catch (error) {
    // Damaged documents and indexes have findings of their own, ignoring here.
    if (error instanceof TsrunError) return nothing
    throw error
  }
}
