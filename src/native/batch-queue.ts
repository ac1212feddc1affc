/** Collects the system calls of many entries below a folder into batches and runs them one after the other. */
import { closeSync } from 'node:fs'
import {
  O_CLOEXEC,
  O_PATH,
  OPEN_HOW_SIZE_VER0,
  openFlagsFor,
  RESOLVE_BENEATH,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS,
} from '../linux/open-flags.ts'
import type { DataRef, Slot } from '../plan/instruction.ts'
import type { PlanBuilder } from '../plan/plan-builder.ts'
import { hostArchitecture } from './library.ts'
import { type BatchResult, newBatch, tryRunBatchAsync } from './run-batch.ts'

const MAX_ENTRIES = 512
const MAX_DATA = 2 * 1024 * 1024
const MAX_FOLDERS = 200

/** Called with the results of the batch that the entry was in. */
export type AfterBatch = (result: BatchResult) => void

/**
 * One batch is being built while the one before runs in a thread of libuv's pool; batches run in
 * order. No batch keeps a descriptor: folders are opened at most once in each, beneath the root and
 * through no symbolic link, and closed at its end, also when an entry fails.
 */
export class BatchQueue {
  readonly #root: number
  readonly #openFlags: { readonly O_DIRECTORY: number; readonly O_NOFOLLOW: number }
  #builder: PlanBuilder
  #file: Slot
  #folders = new Map<string, Slot>()
  #after: AfterBatch[] = []
  #entries = 0
  #data = 0
  #running: Promise<void> = Promise.resolve()

  /** `root`: descriptor of the folder, which the caller keeps open. */
  constructor(root: number) {
    this.#root = root
    this.#openFlags = openFlagsFor(hostArchitecture())
    this.#builder = newBatch()
    this.#file = this.#builder.slot('file')
  }

  get builder(): PlanBuilder {
    return this.#builder
  }

  /** Slot for the descriptor of the entry at hand: closed with the batch when the entry does not. */
  get file(): Slot {
    return this.#file
  }

  /** Runs `emit` as part of the entry `name`, which messages then name. */
  entry(name: string, emit: () => void): void {
    this.#builder.at(name, emit)
    this.#entries++
  }

  /** The folder at `path` (a real path below the root) as a descriptor. */
  folder(path: string): Slot | number {
    if (path === '') return this.#root
    const known = this.#folders.get(path)
    if (known !== undefined) return known
    const b = this.#builder
    const how = b.words([
      O_PATH | this.#openFlags.O_DIRECTORY | O_CLOEXEC,
      0,
      RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    ])
    const slot = b.sys('openat2', [this.#root, this.name(path), how, OPEN_HOW_SIZE_VER0])
    this.#folders.set(path, slot)
    return slot
  }

  /** A byte string with its NUL. */
  name(text: string): DataRef {
    return this.#builder.bytes(Buffer.from(`${text}\0`, 'latin1'), 1)
  }

  bytes(bytes: Uint8Array): DataRef {
    this.#data += bytes.length
    return this.#builder.bytes(bytes, 1)
  }

  /** Nanoseconds as the two timespecs of utimensat(2). */
  times(atime: bigint, mtime: bigint): DataRef {
    const bytes = Buffer.alloc(32)
    writeTimespec(bytes, 0, atime)
    writeTimespec(bytes, 16, mtime)
    return this.#builder.bytes(bytes, 8)
  }

  afterBatch(callback: AfterBatch): void {
    this.#after.push(callback)
  }

  get isFull(): boolean {
    return (
      this.#entries >= MAX_ENTRIES || this.#data >= MAX_DATA || this.#folders.size >= MAX_FOLDERS
    )
  }

  /** Starts the batch as soon as the one before is done; resolves when that one is. */
  async start(): Promise<void> {
    if (this.#entries === 0) return
    await this.#running
    const builder = this.#builder
    const file = this.#file
    const folders = [...this.#folders.values()]
    const after = this.#after
    for (const folder of folders) builder.run('close', [folder])
    this.#builder = newBatch()
    this.#file = this.#builder.slot('file')
    this.#folders = new Map()
    this.#after = []
    this.#entries = 0
    this.#data = 0
    this.#running = runAndClose(builder, [file, ...folders], after)
    // Its failure is thrown by the next start or finish; nobody may be waiting before.
    this.#running.catch(() => {})
  }

  /** Runs what is left and waits for it. */
  async finish(): Promise<void> {
    await this.start()
    await this.#running
  }
}

async function runAndClose(
  builder: PlanBuilder,
  descriptors: readonly Slot[],
  after: readonly AfterBatch[],
): Promise<void> {
  const { result, failure } = await tryRunBatchAsync(builder)
  if (failure === undefined) {
    for (const callback of after) callback(result)
    return
  }
  for (const slot of descriptors) {
    const fd = result.value(slot)
    if (fd >= 0) closeSync(fd)
  }
  throw failure
}

// Floor division: the nanoseconds of a time before 1970 are positive too.
function writeTimespec(bytes: Buffer, at: number, time: bigint): void {
  const nanoseconds = ((time % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n
  bytes.writeBigInt64LE((time - nanoseconds) / 1_000_000_000n, at)
  bytes.writeBigInt64LE(nanoseconds, at + 8)
}
