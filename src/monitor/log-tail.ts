/** Finds where the last lines of a log begin, reading its files backwards. */
import type { FileHandle } from 'node:fs/promises'
import { parseLogLine } from './log-reader.ts'

const BLOCK = 65536

/** Counts lines back from the end of the log: give it the files, the newest first. */
export class LogTail {
  readonly #count: number
  readonly #seen: Record<'stdout' | 'stderr', boolean> = { stdout: false, stderr: false }
  #found = 0

  constructor(count: number) {
    this.#count = count
  }

  /** Where the lines begin in this file; undefined when there are more of them before it. */
  async search(file: FileHandle): Promise<number | undefined> {
    const { size } = await file.stat()
    let end = size
    let rest: Buffer = Buffer.alloc(0)
    let start = size
    while (end > 0) {
      const from = Math.max(0, end - BLOCK)
      const block = Buffer.alloc(end - from)
      await file.read(block, 0, block.length, from)
      const bytes: Buffer = Buffer.concat([block, rest])
      const lines = linesWithOffsets(bytes, from === 0)
      for (const { offset, line } of lines.reverse()) {
        if (this.#isOneTooMany(line)) return start
        start = from + offset
      }
      rest = bytes.subarray(
        0,
        lines.length === 0 ? bytes.length : firstLineStart(bytes, from === 0),
      )
      end = from
    }
    return this.#count === 0 ? size : undefined
  }

  // A line ends with its F piece, or is the unfinished last one of its stream.
  #isOneTooMany(line: Buffer): boolean {
    const piece = parseLogLine(line)
    if (piece === undefined || (piece.partial && this.#seen[piece.stream])) return false
    if (this.#found === this.#count) return true
    this.#found++
    this.#seen[piece.stream] = true
    return false
  }
}

function firstLineStart(bytes: Buffer, isFirstBlock: boolean): number {
  return isFirstBlock ? 0 : bytes.indexOf(10) + 1
}

// The first line of a block that does not begin the file may be torn: it is left to the next block.
function linesWithOffsets(
  bytes: Buffer,
  isFirstBlock: boolean,
): { offset: number; line: Buffer }[] {
  const lines: { offset: number; line: Buffer }[] = []
  const newline = bytes.indexOf(10)
  let from = isFirstBlock ? 0 : newline === -1 ? bytes.length : newline + 1
  for (let to = bytes.indexOf(10, from); to !== -1; to = bytes.indexOf(10, from)) {
    lines.push({ offset: from, line: bytes.subarray(from, to) })
    from = to + 1
  }
  return lines
}
