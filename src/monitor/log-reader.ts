/** Reads a container's log file: whole, its last lines, from a moment on, or as it grows. */
import { type FileHandle, open } from 'node:fs/promises'

/** One piece of output: a line with its end, or a part of a line that goes on in the next piece. */
export interface LogPiece {
  readonly stream: 'stdout' | 'stderr'
  /** RFC 3339 with nanoseconds, UTC. */
  readonly time: string
  readonly text: Buffer
  /** The line goes on in the next piece of the same stream. */
  readonly partial: boolean
}

export interface LogOptions {
  /** Only the last lines; undefined for all. */
  readonly tail?: number | undefined
  /** Only pieces at or after this RFC 3339 moment in UTC. */
  readonly since?: string | undefined
  readonly until?: string | undefined
}

const BLOCK = 65536
const HEADER = /^(\S+Z) (stdout|stderr) ([FP]) /

/** The pieces that are in the log now, in order. */
export async function* readLog(
  file: FileHandle,
  options: LogOptions = {},
): AsyncGenerator<LogPiece, number> {
  let position = options.tail === undefined ? 0 : await tailPosition(file, options.tail)
  if (options.tail === 0) return (await file.stat()).size
  const splitter = new LineSplitter()
  const block = Buffer.alloc(BLOCK)
  for (;;) {
    const { bytesRead } = await file.read(block, 0, BLOCK, position)
    if (bytesRead === 0) return position - splitter.pending
    position += bytesRead
    for (const line of splitter.push(block.subarray(0, bytesRead))) {
      const piece = parseLogLine(line)
      if (piece !== undefined && isInside(piece, options)) yield piece
    }
  }
}

/** Opens the log of a container. */
export async function openLog(path: string): Promise<FileHandle> {
  return open(path, 'r')
}

/** Reads what the file has gained since `position`; returns the new position with the pieces. */
export async function readLogFrom(
  file: FileHandle,
  position: number,
): Promise<{ readonly pieces: LogPiece[]; readonly position: number }> {
  const splitter = new LineSplitter()
  const block = Buffer.alloc(BLOCK)
  const pieces: LogPiece[] = []
  let at = position
  for (;;) {
    const { bytesRead } = await file.read(block, 0, BLOCK, at)
    if (bytesRead === 0) return { pieces, position: at - splitter.pending }
    at += bytesRead
    for (const line of splitter.push(block.subarray(0, bytesRead))) {
      const piece = parseLogLine(line)
      if (piece !== undefined) pieces.push(piece)
    }
  }
}

/** Parses one line of the log, without its newline; undefined for what no monitor writes. */
export function parseLogLine(line: Buffer): LogPiece | undefined {
  const match = HEADER.exec(line.toString('latin1', 0, 64))
  if (match === null) return undefined
  const partial = match[3] === 'P'
  const text = line.subarray(match[0].length)
  return {
    stream: match[2] === 'stderr' ? 'stderr' : 'stdout',
    time: match[1] ?? '',
    text: partial ? Buffer.from(text) : Buffer.concat([text, Buffer.from('\n')]),
    partial,
  }
}

// Times have one fixed form, so their order is that of their text.
function isInside(piece: LogPiece, options: LogOptions): boolean {
  if (options.since !== undefined && piece.time < options.since) return false
  return options.until === undefined || piece.time <= options.until
}

/** Cuts bytes into lines and keeps the unfinished rest. */
class LineSplitter {
  #rest: Buffer = Buffer.alloc(0)

  get pending(): number {
    return this.#rest.length
  }

  push(chunk: Buffer): Buffer[] {
    const bytes = Buffer.concat([this.#rest, chunk])
    const lines: Buffer[] = []
    let from = 0
    for (let to = bytes.indexOf(10); to !== -1; to = bytes.indexOf(10, from)) {
      lines.push(bytes.subarray(from, to))
      from = to + 1
    }
    this.#rest = bytes.subarray(from)
    return lines
  }
}

/** Where the last `count` complete lines (partial pieces belong to their line) begin, read backwards. */
async function tailPosition(file: FileHandle, count: number): Promise<number> {
  const { size } = await file.stat()
  let end = size
  let rest: Buffer = Buffer.alloc(0)
  let found = 0
  let start = size
  const seen: Record<'stdout' | 'stderr', boolean> = { stdout: false, stderr: false }
  while (end > 0) {
    const from = Math.max(0, end - BLOCK)
    const block = Buffer.alloc(end - from)
    await file.read(block, 0, block.length, from)
    const bytes: Buffer = Buffer.concat([block, rest])
    const lines = linesWithOffsets(bytes, from === 0)
    for (const { offset, line } of lines.reverse()) {
      const piece = parseLogLine(line)
      // A line ends with its F piece, or is the unfinished last one of its stream.
      if (piece !== undefined && (!piece.partial || !seen[piece.stream])) {
        if (found === count) return start
        found++
        seen[piece.stream] = true
      }
      start = from + offset
    }
    rest = bytes.subarray(0, lines.length === 0 ? bytes.length : firstLineStart(bytes, from === 0))
    end = from
  }
  return start
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
