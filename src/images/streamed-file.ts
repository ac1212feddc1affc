/** Writes the content of one large or sparse entry to its open file as it arrives. */
import { ftruncateSync, write } from 'node:fs'
import { promisify } from 'node:util'
import { readSparseMap, type SparseFile, type SparsePiece } from '../archive/sparse-map.ts'
import type { TarEntry } from '../archive/tar-entries.ts'

const writeAt = promisify(write)

/** Writes all of `entry` to `fd`; holes of a sparse entry stay holes. */
export async function writeStreamedFile(fd: number, entry: TarEntry): Promise<void> {
  if (entry.sparse === undefined) {
    let at = 0
    for await (const chunk of entry.content) {
      await writeAll(fd, chunk, at)
      at += chunk.length
    }
    return
  }
  await writeSparse(fd, entry, entry.sparse)
  ftruncateSync(fd, entry.sparse.size)
}

async function writeSparse(fd: number, entry: TarEntry, sparse: SparseFile): Promise<void> {
  let pieces = sparse.pieces
  let head = Buffer.alloc(0)
  let cursor: PieceCursor | undefined
  for await (const chunk of entry.content) {
    let data = chunk
    if (cursor === undefined && pieces === undefined) {
      head = Buffer.concat([head, chunk])
      const map = readSparseMap(head, sparse, entry.size)
      if (map === undefined) continue
      pieces = map.pieces
      data = head.subarray(map.mapLength)
    }
    cursor ??= new PieceCursor(pieces ?? [])
    for (const { offset, bytes } of cursor.place(data)) await writeAll(fd, bytes, offset)
  }
}

/** Where in the file the next bytes of the stream belong. */
class PieceCursor {
  readonly #pieces: readonly SparsePiece[]
  #index = 0
  #done = 0

  constructor(pieces: readonly SparsePiece[]) {
    this.#pieces = pieces
  }

  *place(data: Buffer): Generator<{ readonly offset: number; readonly bytes: Buffer }> {
    let rest = data
    while (rest.length > 0) {
      const piece = this.#pieces[this.#index]
      if (piece === undefined) return
      const bytes = rest.subarray(0, piece.length - this.#done)
      if (bytes.length > 0) yield { offset: piece.offset + this.#done, bytes }
      rest = rest.subarray(bytes.length)
      this.#done += bytes.length
      if (this.#done < piece.length) continue
      this.#index++
      this.#done = 0
    }
  }
}

async function writeAll(fd: number, chunk: Buffer, position: number): Promise<void> {
  for (let at = 0; at < chunk.length; ) {
    const { bytesWritten } = await writeAt(fd, chunk, at, chunk.length - at, position + at)
    at += bytesWritten
  }
}
