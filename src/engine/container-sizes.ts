/** How much containers take on the disk: what each has written, and what it stands on. */
import type { ContainerRecord } from './container-record.ts'
import { writtenBy } from './disk-usage.ts'
import type { Engine } from './engine.ts'

export interface ContainerSize {
  /** Bytes in the container's own layer. */
  readonly written: number
  /** With the layers of its image. */
  readonly whole: number
}

/** Looks each image's layers up once. */
export class ContainerSizes {
  readonly #engine: Engine
  readonly #images = new Map<string, number>()

  constructor(engine: Engine) {
    this.#engine = engine
  }

  of(record: ContainerRecord): ContainerSize {
    const written = record.rootfs === undefined ? writtenBy(this.#engine, record.id) : 0
    return { written, whole: written + this.#imageSize(record) }
  }

  #imageSize({ id, image }: ContainerRecord): number {
    if (image === undefined) return 0
    const known = this.#images.get(image.id)
    if (known !== undefined) return known
    const snapshotter = this.#engine.snapshotter()
    const size = snapshotter
      .chainOf(id)
      .reduce((sum, chainId) => sum + (snapshotter.layer(chainId)?.size ?? 0), 0)
    this.#images.set(image.id, size)
    return size
  }
}
