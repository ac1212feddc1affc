/** Layers and the writable trees on top of them, as an interface. */
import type { Mount } from './mount.ts'

/**
 * A layer is known by its chain ID: the digest of its own diff ID and those of all layers below
 * (image-spec config.md "Layer ChainID"). It never changes and is shared by all images and containers.
 *
 *   startLayer(chain) ─► LayerDraft: an empty folder to unpack into; one process at a time for a chain
 *                          │ commit ─► layer        one rename; whoever looks sees all of it or nothing
 *                          └ dispose ─► gone
 *
 *   prepare(key, parent) ─► active snapshot: the mounts that give a writable tree above `parent`
 *                              ├ commit(key, layer) ─► layer, of what was written
 *                              └ remove(key) ─► gone, with what was written
 *
 * Drafts are unpacked in parallel and in any order, committed from the base up: a layer may need what
 * lies below it (attributes of folders it does not name, targets of its hard links). A draft belongs to
 * its process: the next one removes drafts of dead ones. Layers go only by {@link Snapshotter.removeLayers},
 * which spares each layer that a chain it is told of, or an active snapshot, stands on.
 */
export interface Snapshotter {
  /** All folders that it hands out are below it. */
  readonly root: string
  hasLayer(chainId: string): boolean
  /** Undefined when the layer is there. Waits while another process makes it. */
  startLayer(chainId: string): Promise<LayerDraft | undefined>
  /** Folders of the chain's layers, top first; throws `not-found` when one is missing. */
  layerFolders(chainIds: readonly string[]): readonly string[]
  layer(chainId: string): LayerInfo | undefined
  /** Chain IDs of all layers. */
  layers(): readonly string[]
  /** `chainIds` from the base up; empty for a tree of its own. Throws `already-exists`. */
  prepare(key: string, chainIds: readonly string[]): Promise<readonly Mount[]>
  /** As {@link prepare}, above a folder that is no layer and stays as it is. */
  prepareAbove(key: string, folder: string): Promise<readonly Mount[]>
  /** The mounts of an active snapshot again. */
  mounts(key: string): readonly Mount[]
  /** Chain IDs of the layers that an active snapshot stands on, from the base up. */
  chainOf(key: string): readonly string[]
  /** The folders that an active snapshot stands on, top first. */
  foldersBelow(key: string): readonly string[]
  /** Where the active snapshot keeps what was written. */
  writableFolder(key: string): string
  /** Removes an active snapshot; one that is not there is no error. */
  remove(key: string): void
  /**
   * Makes the active snapshot a layer and removes it; where the layer is there already, what was written goes. Nothing
   * may be mounted of it any more. `chainId` and `info` are those of its writable folder above its chain.
   */
  commit(key: string, info: LayerInfo): Promise<void>
  activeKeys(): readonly string[]
  /** Removes the layers that no given chain and no active snapshot uses; returns their chain IDs. */
  removeLayers(usedChainIds: ReadonlySet<string>): Promise<readonly string[]>
  /** Chain IDs of the layers that {@link removeLayers} would remove. */
  unusedLayers(usedChainIds: ReadonlySet<string>): readonly string[]
  /** What is wrong with a layer, undefined when it is whole; its files are not read. */
  problemOf(chainId: string): string | undefined
  /** Removes a damaged layer, also when something stands on it. */
  discardLayer(chainId: string): Promise<void>
  /** Removes drafts and half-removed trees of processes that are gone. */
  removeAbandoned(): void
}

export interface LayerInfo {
  readonly chainId: string
  readonly diffId: string
  readonly parent?: string
  /** Bytes of its files. */
  readonly size: number
}

/** A folder that a layer is unpacked into. Disposing it without {@link commit} removes it. */
export interface LayerDraft extends Disposable {
  readonly folder: string
  /** Makes the layer durable and then visible. The layers below must be. */
  commit(info: Omit<LayerInfo, 'chainId'>): Promise<void>
}
