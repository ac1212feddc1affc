/** Where an open file has data: all else is holes (lseek(2) SEEK_DATA, SEEK_HOLE). */

import { SyscallError } from '../errors.ts'
import { errnoName, errnoNumber } from '../linux/errno.ts'
import { trySyscall } from './syscalls.ts'

const SEEK_DATA = 3 // <linux/fs.h>
const SEEK_HOLE = 4
/** A file can be made of nothing but tiny holes; from here on the rest counts as data. */
const MAX_PIECES = 50_000

/** GNU tar begins each piece in a block of its own: whole blocks read the same everywhere. */
const TAR_BLOCK = 512

export interface DataPiece {
  readonly offset: number
  readonly length: number
}

/** The pieces of the file below `size`, in order and in whole blocks of a tar, but for the end of the file. A file system without holes has one. */
export function dataPieces(fd: number, size: number): readonly DataPiece[] {
  const pieces: DataPiece[] = []
  for (let at = 0; at < size; ) {
    const offset = trySyscall('lseek', [fd, at, SEEK_DATA])
    // ENXIO: only a hole is left.
    if (offset === -errnoNumber('ENXIO')) break
    if (offset === -errnoNumber('EINVAL')) return [{ offset: 0, length: size }]
    if (offset < 0) throw new SyscallError('lseek', -offset, errnoName(-offset))
    if (offset >= size) break
    const hole = pieces.length === MAX_PIECES ? size : trySyscall('lseek', [fd, offset, SEEK_HOLE])
    const start = offset - (offset % TAR_BLOCK)
    const end =
      hole < 0 ? size : Math.min(hole + ((TAR_BLOCK - (hole % TAR_BLOCK)) % TAR_BLOCK), size)
    pieces.push({ offset: start, length: end - start })
    at = end
  }
  return pieces
}
