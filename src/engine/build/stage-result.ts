/** A stage as far as it is built. */
import type { StageConfig } from '../../dockerfile/stage-config.ts'
import type { Descriptor, HistoryEntry, ImageConfig } from '../../oci/image.ts'

export interface BuiltLayer {
  readonly diffId: string
  /** The blob of a layer of the base image; those made here are compressed when an image needs them. */
  readonly descriptor: Descriptor | undefined
}

export interface StageResult {
  /** What the base image's config says beside process, layers and history. */
  readonly base: Omit<ImageConfig, 'config' | 'rootfs' | 'history'>
  readonly config: StageConfig
  readonly layers: readonly BuiltLayer[]
  /** From the base up. */
  readonly chainIds: readonly string[]
  readonly history: readonly HistoryEntry[]
  /** When the newest of its layers was made. */
  readonly created: string
}
