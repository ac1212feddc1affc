/** One small file for each container in a folder of its own, replaced whole. */
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { writeFileAtomic } from '../util/atomic-write.ts'
import { readTextIfThere } from '../util/if-there.ts'

export class ContainerFiles {
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = folder
  }

  read(containerId: string): string | undefined {
    return readTextIfThere(join(this.#folder, containerId))
  }

  write(containerId: string, text: string): void {
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 })
    // No power cut matters: after it no container runs.
    writeFileAtomic(join(this.#folder, containerId), text, { durable: false })
  }

  /** None is no error. */
  remove(containerId: string): void {
    rmSync(join(this.#folder, containerId), { force: true })
  }
}
