/** What `--from` and `from=` name: an earlier stage, or an image. */
import { constants, openSync } from 'node:fs'
import { openOverlayView } from '../../native/overlay-view.ts'
import { OwnedFd } from '../../native/owned-fd.ts'
import type { BuildSession } from './build-session.ts'

/** A finished tree of other layers. */
export interface TreeSource {
  /** `stage "build"`, `image "busybox"`. */
  readonly name: string
  /** From the base up. */
  readonly chainIds: readonly string[]
}

/** A look at the tree that ends with its descriptor. */
export function openTreeSource({ store }: BuildSession, { chainIds }: TreeSource): OwnedFd {
  const folders = store.snapshots.layerFolders(chainIds)
  if (folders.length > 1) return openOverlayView(folders)
  const [only] = folders
  if (only === undefined) throw new RangeError('a tree without layers cannot be opened')
  return new OwnedFd(openSync(only, constants.O_RDONLY | constants.O_DIRECTORY))
}
