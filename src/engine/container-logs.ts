/** The output that a container's log has kept, and what is still to come. */
import { watch } from 'node:fs'
import { join } from 'node:path'
import { errnoCodeOf } from '../errors.ts'
import {
  type LogOptions,
  type LogPiece,
  openLog,
  readLog,
  readLogFrom,
} from '../monitor/log-reader.ts'
import { statusOf } from './container-status.ts'
import type { ContainerStore } from './container-store.ts'
import { waitForExit } from './wait-container.ts'

export const LOG_FILE = 'container.log'

export interface FollowOptions extends LogOptions {
  readonly follow: boolean
  readonly signal?: AbortSignal
}

export type { LogPiece }

/** The log's pieces in order; with `follow` until the container has ended. */
export async function* containerLogs(
  store: ContainerStore,
  id: string,
  options: FollowOptions,
): AsyncGenerator<LogPiece> {
  const path = join(store.directory(id), LOG_FILE)
  const file = await openIfThere(path)
  if (file === undefined) return
  try {
    if (!options.follow) {
      yield* readLog(file, options)
      return
    }
    // Watched before the first read: what is written in between wakes the loop.
    using growth = new Growth(path, () => ended(store, id), options.signal)
    let position = yield* readLog(file, options)
    for (;;) {
      const more = await growth.next()
      const read = await readLogFrom(file, position)
      position = read.position
      yield* read.pieces
      if (!more) return
    }
  } finally {
    await file.close()
  }
}

async function openIfThere(path: string) {
  try {
    return await openLog(path)
  } catch (error) {
    if (errnoCodeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

async function ended(store: ContainerStore, id: string): Promise<void> {
  const record = store.read(id)
  if (record === undefined || statusOf(record, store.directory(id)).status === 'exited') return
  await waitForExit(store, id)
}

/** Tells when a file has grown, and when it will not grow any more. */
class Growth implements Disposable {
  readonly #watcher: ReturnType<typeof watch>
  #changed = true
  #final = false
  #wake: () => void = () => {}

  constructor(path: string, untilFinal: () => Promise<void>, signal: AbortSignal | undefined) {
    this.#watcher = watch(path, () => this.#note(false))
    // The error is the reader's: it meets the missing container again at its next read.
    untilFinal().then(
      () => this.#note(true),
      () => this.#note(true),
    )
    signal?.addEventListener('abort', () => this.#note(true), { once: true })
  }

  /** Resolves at the next growth to true, at the end to false. */
  async next(): Promise<boolean> {
    while (!this.#changed && !this.#final) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    this.#changed = false
    return !this.#final
  }

  [Symbol.dispose](): void {
    this.#watcher.close()
  }

  #note(final: boolean): void {
    this.#changed = true
    this.#final ||= final
    this.#wake()
  }
}
