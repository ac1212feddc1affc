/** How much one layer may hold, beside the size that it inflates to: each is far above what real images have. */
export interface LayerLimits {
  readonly entries: number
  /** Characters of the names and targets that are kept while the layer is unpacked: of folders, links and whiteouts. */
  readonly names: number
}

/** The largest layers of real images have some hundred thousand entries. */
export const LAYER_LIMITS: LayerLimits = { entries: 2_000_000, names: 64 * 1024 * 1024 }
