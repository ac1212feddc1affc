/** Reads the log of events: those of a span of time, and those to come. */
import { closeSync, fstatSync, mkdirSync, openSync, readSync, watch } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { errnoCodeOf } from '../../errors.ts'
import { type EngineEvent, eventTime, parseEvent } from './event.ts'
import { eventsFolder } from './event-log.ts'

export interface ReadEventsOptions {
  /** RFC 3339 with nanoseconds in UTC; none of the past without. */
  readonly since: string | undefined
  /** Where it ends; never without. */
  readonly until: string | undefined
  readonly signal: AbortSignal
}

/** The events in order; it waits for those to come until `until` or the signal. */
export async function* readEvents(
  dataRoot: string,
  { since, until, signal }: ReadEventsOptions,
): AsyncGenerator<EngineEvent> {
  const folder = eventsFolder(dataRoot)
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  // Watched before the first look: what is written in between wakes the loop.
  using growth = new Growth(folder, signal, until)
  using log = new LogFile(join(folder, 'log'))
  const old = since === undefined ? [] : readWhole(join(folder, 'log.1'))
  const here = log.read()
  const isInside = (event: EngineEvent) =>
    (since === undefined || eventTime(event) >= since) &&
    (until === undefined || eventTime(event) <= until)
  if (since !== undefined) yield* [...old, ...here].filter(isInside)
  while (await growth.next()) yield* log.read().filter(isInside)
  yield* log.read().filter(isInside)
}

function readWhole(path: string): EngineEvent[] {
  using file = new LogFile(path)
  return file.read()
}

/** A file that grows, and that another of the same name may follow. */
class LogFile implements Disposable {
  readonly #path: string
  #fd: number | undefined
  #inode = 0
  #rest: Buffer = Buffer.alloc(0)

  constructor(path: string) {
    this.#path = path
  }

  /** The whole events that have come since the last call. */
  read(): EngineEvent[] {
    const events = this.#fd === undefined ? [] : this.#readOpen(this.#fd)
    const next = openIfNew(this.#path, this.#inode)
    if (next === undefined) return events
    this[Symbol.dispose]()
    this.#fd = next.fd
    this.#inode = next.inode
    this.#rest = Buffer.alloc(0)
    return [...events, ...this.#readOpen(next.fd)]
  }

  [Symbol.dispose](): void {
    if (this.#fd !== undefined) closeSync(this.#fd)
    this.#fd = undefined
  }

  #readOpen(fd: number): EngineEvent[] {
    const chunks = [this.#rest]
    const chunk = Buffer.alloc(65536)
    for (let count = readSync(fd, chunk); count > 0; count = readSync(fd, chunk))
      chunks.push(Buffer.from(chunk.subarray(0, count)))
    const bytes = Buffer.concat(chunks)
    const end = bytes.lastIndexOf(10) + 1
    this.#rest = bytes.subarray(end)
    return bytes
      .toString('utf8', 0, end)
      .split('\n')
      .flatMap((line) => parseEvent(line) ?? [])
  }
}

function openIfNew(path: string, inode: number): { fd: number; inode: number } | undefined {
  try {
    const fd = openSync(path, 'r')
    const { ino } = fstatSync(fd)
    if (ino !== inode) return { fd, inode: ino }
    closeSync(fd)
  } catch (error) {
    if (errnoCodeOf(error) !== 'ENOENT') throw error
  }
  return undefined
}

/** Tells when something in a folder has changed, and when the time is over. */
class Growth implements Disposable {
  readonly #watcher: ReturnType<typeof watch>
  readonly #over = new AbortController()
  #changed = true
  #final = false
  #wake: () => void = () => {}

  constructor(folder: string, signal: AbortSignal, until: string | undefined) {
    this.#watcher = watch(folder, () => this.#note(false))
    if (signal.aborted) this.#final = true
    signal.addEventListener('abort', () => this.#note(true), { once: true })
    if (until !== undefined) this.#endAt(Date.parse(until))
  }

  /** Resolves at the next change to true, at the end to false. */
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
    this.#over.abort()
  }

  #endAt(time: number): void {
    const left = time - Date.now()
    if (left <= 0) {
      this.#final = true
      return
    }
    // A timer of Node takes 31 bits of milliseconds.
    sleep(Math.min(left, 2 ** 31 - 1), undefined, { signal: this.#over.signal }).then(
      () => this.#note(true),
      () => {},
    )
  }

  #note(final: boolean): void {
    this.#changed = true
    this.#final ||= final
    this.#wake()
  }
}
