/** A mount as data: what a snapshotter hands out, and whoever needs the tree mounts. */

export interface Mount {
  /** File system type, or `bind`. */
  readonly type: string
  readonly source: string
  /** Relative to where the first mount of a list goes; absent for that one. */
  readonly target?: string
  /** As in mount(8): `lowerdir=…`, `ro`. */
  readonly options: readonly string[]
}
