/**
 * The files of a container's log: `<name>` is being written, `<name>.1` was before it, `<name>.2` before that. The
 * monitor renames them while they are read, so a file is known by its inode, and which one comes after another is
 * looked up again until the names have stood still.
 */
import { type FileHandle, open, readdir, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { errnoCodeOf } from '../errors.ts'
import { type LogOptions, type LogPiece, readLog } from './log-reader.ts'
import { LogTail } from './log-tail.ts'

interface OpenFile {
  readonly handle: FileHandle
  readonly inode: bigint
}

/** Looks at names that a busy monitor changes at every one of them would not come to an end. */
const MAX_LOOKS = 20

export class LogFiles implements AsyncDisposable {
  readonly #path: string
  /** The oldest first. */
  #files: OpenFile[]
  #position = 0

  private constructor(path: string, files: OpenFile[]) {
    this.#path = path
    this.#files = files
  }

  /** Opens what there is of the log at `path` now. */
  static async open(path: string): Promise<LogFiles> {
    return new LogFiles(path, await openAll(path))
  }

  /** The pieces that are in the log now, in order. */
  async *read(options: LogOptions): AsyncGenerator<LogPiece> {
    if (options.tail !== undefined) await this.#skipToTail(options.tail)
    while (this.#files.length > 0) {
      yield* this.#readFirst(options)
      if (this.#files.length === 1) return
      await this.#closeFirst()
    }
  }

  /** The pieces that were added since the last read; a log that was rotated away meanwhile is gone. */
  async *readMore(): AsyncGenerator<LogPiece> {
    for (;;) {
      yield* this.#readFirst({})
      const next = await this.#next()
      if (next === undefined) return
      // Between the end that we read and the rotation something may have been added.
      yield* this.#readFirst({})
      await this.#closeFirst()
      this.#files = [next]
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    while (this.#files.length > 0) await this.#closeFirst()
  }

  async *#readFirst(options: LogOptions): AsyncGenerator<LogPiece> {
    const [first] = this.#files
    if (first !== undefined) this.#position = yield* readLog(first.handle, this.#position, options)
  }

  async #closeFirst(): Promise<void> {
    this.#position = 0
    await this.#files.shift()?.handle.close()
  }

  async #skipToTail(count: number): Promise<void> {
    const tail = new LogTail(count)
    for (let i = this.#files.length - 1; i >= 0; i--) {
      const found = await tail.search((this.#files[i] as OpenFile).handle)
      if (found === undefined) continue
      while (i-- > 0) await this.#closeFirst()
      this.#position = found
      return
    }
  }

  /** The file after the one that is read; undefined while that one is being written. */
  async #next(): Promise<OpenFile | undefined> {
    const current = this.#files[0]?.inode
    for (let look = 0; look < MAX_LOOKS; look++) {
      const numbers = await numbersOf(this.#path)
      const inodes = await Promise.all(numbers.map((number) => inodeOf(nameOf(this.#path, number))))
      const at = inodes.indexOf(current)
      if (at === 0 && numbers[0] === 0) return undefined
      // The oldest that is left, when ours has been rotated away.
      const number = numbers[(at === -1 ? numbers.length : at) - 1]
      const next = number === undefined ? undefined : await openFile(nameOf(this.#path, number))
      if (next !== undefined && next.inode === inodes[numbers.indexOf(number ?? -1)]) return next
      await next?.handle.close()
    }
    return undefined
  }
}

// The newest first while it opens them, so that a rotation in between shows a file twice but hides none.
async function openAll(path: string): Promise<OpenFile[]> {
  for (let look = 0; ; look++) {
    const files: OpenFile[] = []
    let isStill = true
    for (const number of await numbersOf(path)) {
      const file = await openFile(nameOf(path, number))
      const isNew = file !== undefined && files.every(({ inode }) => inode !== file.inode)
      if (isNew) files.unshift(file)
      else await file?.handle.close()
      isStill &&= isNew
    }
    if (isStill || look === MAX_LOOKS) return files
    for (const { handle } of files) await handle.close()
  }
}

/** The numbers of the files there are, 0 for the one that is written. */
async function numbersOf(path: string): Promise<number[]> {
  const name = basename(path)
  const numbers: number[] = []
  for (const entry of await namesIn(dirname(path))) {
    if (entry === name) numbers.push(0)
    const [, number] = /^\.(\d{1,4})$/.exec(entry.slice(name.length)) ?? []
    if (entry.startsWith(name) && number !== undefined) numbers.push(Number(number))
  }
  return numbers.sort((a, b) => a - b)
}

function nameOf(path: string, number: number): string {
  return number === 0 ? path : join(dirname(path), `${basename(path)}.${number}`)
}

async function namesIn(directory: string): Promise<string[]> {
  return (await ifThere(readdir(directory))) ?? []
}

async function inodeOf(path: string): Promise<bigint | undefined> {
  return (await ifThere(stat(path, { bigint: true })))?.ino
}

async function openFile(path: string): Promise<OpenFile | undefined> {
  const handle = await ifThere(open(path, 'r'))
  return handle && { handle, inode: (await handle.stat({ bigint: true })).ino }
}

async function ifThere<Value>(promise: Promise<Value>): Promise<Value | undefined> {
  try {
    return await promise
  } catch (error) {
    if (errnoCodeOf(error) === 'ENOENT') return undefined
    throw error
  }
}
