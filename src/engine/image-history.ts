/** The history of an image as `docker history` shows it: newest first, each step with the layer it made. */
import type { Image, ImageStore } from '../images/image-store.ts'

export interface HistoryStep {
  readonly created: string | undefined
  readonly createdBy: string
  readonly comment: string
  /** Bytes of the layer's files; 0 for a step without a layer. */
  readonly size: number
  /** Diff ID of the layer; undefined for a step without one. */
  readonly diffId: string | undefined
}

/** The steps; layers that the history does not tell of come as steps without words. */
export function historyOf(store: ImageStore, image: Image): readonly HistoryStep[] {
  const layers = image.config.rootfs.diff_ids.map((diffId, i) => ({
    diffId,
    size: store.snapshots.layer(image.chainIds[i] ?? '')?.size ?? 0,
  }))
  const steps: HistoryStep[] = []
  for (const entry of image.config.history ?? []) {
    const layer = entry.empty_layer === true ? undefined : layers.shift()
    steps.push({
      created: entry.created,
      createdBy: entry.created_by ?? '',
      comment: entry.comment ?? '',
      size: layer?.size ?? 0,
      diffId: layer?.diffId,
    })
  }
  for (const { diffId, size } of layers)
    steps.push({ created: undefined, createdBy: '', comment: '', size, diffId })
  return steps.toReversed()
}
