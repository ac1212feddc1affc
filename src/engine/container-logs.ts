/** The output that a container's log has kept, and what is still to come. */
import { watch } from 'node:fs'
import { join } from 'node:path'
import { TsrunError } from '../errors.ts'
import { LogFiles } from '../monitor/log-files.ts'
import type { LogOptions, LogPiece } from '../monitor/log-reader.ts'
import type { ContainerStore } from './container-store.ts'
import { waitUntilOver } from './wait-container.ts'

export const LOG_FILE = 'container.log'

export interface FollowOptions extends LogOptions {
  readonly follow: boolean
  readonly signal?: AbortSignal
}

export type { LogPiece }

/** The log's pieces in order; with `follow` until the container has ended and is not to be started anew. */
export async function* containerLogs(
  store: ContainerStore,
  id: string,
  options: FollowOptions,
): AsyncGenerator<LogPiece> {
  refuseNoLog(store, id)
  const directory = store.directory(id)
  const left = options.until === undefined ? undefined : Date.parse(options.until) - Date.now()
  // What is past already does not grow any more.
  if (!options.follow || (left !== undefined && left <= 0)) {
    await using log = await LogFiles.open(join(directory, LOG_FILE))
    yield* log.read(options)
    return
  }
  // Watched before the first read: what is written in between wakes the loop.
  using growth = new Growth(directory, () => waitUntilOver(store, id), endOf(options, left))
  await using log = await LogFiles.open(join(directory, LOG_FILE))
  yield* log.read(options)
  for (;;) {
    const more = await growth.next()
    for await (const piece of log.readMore())
      if (options.until === undefined || piece.time <= options.until) yield piece
    if (!more) return
  }
}

/** A timer of Node takes 31 bits of milliseconds. */
const MAX_TIMER_MS = 2 ** 31 - 1

function endOf({ signal }: FollowOptions, left: number | undefined): AbortSignal | undefined {
  if (left === undefined) return signal
  const timeout = AbortSignal.timeout(Math.min(left, MAX_TIMER_MS))
  return signal === undefined ? timeout : AbortSignal.any([signal, timeout])
}

function refuseNoLog(store: ContainerStore, id: string): void {
  const record = store.read(id)
  if (record?.request.log?.driver !== 'none') return
  throw new TsrunError(
    'failed-precondition',
    `cannot read the log of container "${record.name}": it was made with --log-driver none`,
    { hint: `tsrun attach ${record.name} shows what it writes from now on` },
  )
}

/** Tells when one of the log's files has grown, and when none will grow any more. */
class Growth implements Disposable {
  readonly #watcher: ReturnType<typeof watch>
  #changed = true
  #final = false
  #wake: () => void = () => {}

  constructor(directory: string, untilFinal: () => Promise<void>, signal: AbortSignal | undefined) {
    this.#watcher = watch(directory, (_event, name) => {
      if (name === null || name.startsWith(LOG_FILE)) this.#note(false)
    })
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
