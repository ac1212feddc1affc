/** Reads one file of a container's log: whole, from a moment on, or as it grows. */
import type { FileHandle } from 'node:fs/promises'

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

/** The pieces of the file from `position` on that the options ask for, in order; returns where its last line ends. */
export async function* readLog(
  file: FileHandle,
  position: number,
  options: Pick<LogOptions, 'since' | 'until'> = {},
): AsyncGenerator<LogPiece, number> {
  const splitter = new LineSplitter()
  const block = Buffer.alloc(BLOCK)
  for (let at = position; ; ) {
    const { bytesRead } = await file.read(block, 0, BLOCK, at)
    if (bytesRead === 0) return at - splitter.pending
    at += bytesRead
    for (const line of splitter.push(block.subarray(0, bytesRead))) {
      const piece = parseLogLine(line)
      if (piece !== undefined && isInside(piece, options)) yield piece
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
function isInside(piece: LogPiece, options: Pick<LogOptions, 'since' | 'until'>): boolean {
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
