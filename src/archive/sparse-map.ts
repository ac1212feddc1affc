/** GNU sparse files in PAX form (GNU tar manual, "Sparse Formats" 0.0, 0.1 and 1.0). */
import { TsrunError } from '../errors.ts'

/** A piece of a sparse file that has data; all else is a hole. */
export interface SparsePiece {
  readonly offset: number
  readonly length: number
}

export interface SparseFile {
  /** Size with the holes. */
  readonly size: number
  /** Undefined for format 1.0, whose map stands at the start of the entry's data. */
  readonly pieces: readonly SparsePiece[] | undefined
}

const BLOCK = 512
const MAX_PIECES = 200_000
/** The map is read again from its start for each piece of it that arrives. */
const MAX_MAP_BYTES = 4 * 1024 * 1024

/** What the PAX records say of a sparse file; undefined when the file is a plain one. */
export function sparseFileOf(
  pax: Readonly<Record<string, string>>,
  stored: number,
): SparseFile | undefined {
  if (pax['GNU.sparse.major'] === '1' && pax['GNU.sparse.minor'] === '0') {
    return { size: number(pax['GNU.sparse.realsize']), pieces: undefined }
  }
  const map = pax['GNU.sparse.map']
  if (map !== undefined) {
    const size = number(pax['GNU.sparse.size'] ?? pax['GNU.sparse.realsize'])
    const pieces = piecesOf(map === '' ? [] : map.split(',').map(number))
    return { size, pieces: checkPieces(pieces, size, stored) }
  }
  const unknown = Object.keys(pax).find((key) => key.startsWith('GNU.sparse.'))
  if (unknown === undefined || unknown === 'GNU.sparse.name') return undefined
  throw new TsrunError('not-implemented', `its sparse format (${unknown}) is not supported`)
}

/**
 * The map at the start of a 1.0 entry: decimal numbers, each with a newline, padded to 512 bytes.
 * Undefined while `bytes` does not hold all of it.
 */
export function readSparseMap(
  bytes: Buffer,
  file: SparseFile,
  stored: number,
): { readonly pieces: readonly SparsePiece[]; readonly mapLength: number } | undefined {
  if (bytes.length > MAX_MAP_BYTES) malformed()
  const numbers: number[] = []
  let wanted = 1
  let at = 0
  while (numbers.length < wanted) {
    const end = bytes.indexOf(0x0a, at)
    if (end === -1) {
      if (bytes.length - at > 20) malformed()
      return undefined
    }
    numbers.push(number(bytes.toString('latin1', at, end)))
    at = end + 1
    if (numbers.length === 1) wanted = 1 + 2 * Math.min(numbers[0] ?? 0, MAX_PIECES + 1)
  }
  const mapLength = Math.ceil(at / BLOCK) * BLOCK
  if (bytes.length < mapLength) return undefined
  const pieces = checkPieces(piecesOf(numbers.slice(1)), file.size, stored - mapLength)
  return { pieces, mapLength }
}

function piecesOf(numbers: readonly number[]): SparsePiece[] {
  if (numbers.length % 2 !== 0 || numbers.length > 2 * MAX_PIECES) malformed()
  const pieces: SparsePiece[] = []
  for (let i = 0; i < numbers.length; i += 2) {
    pieces.push({ offset: numbers[i] ?? 0, length: numbers[i + 1] ?? 0 })
  }
  return pieces
}

// In order, without overlap, inside the file, and together as long as the data that follows.
function checkPieces(
  pieces: readonly SparsePiece[],
  size: number,
  stored: number,
): readonly SparsePiece[] {
  let end = 0
  let total = 0
  for (const { offset, length } of pieces) {
    if (offset < end || offset + length > size) malformed()
    end = offset + length
    total += length
  }
  if (total !== stored) malformed()
  return pieces
}

function number(text: string | undefined): number {
  if (text === undefined || !/^\d{1,15}$/.test(text)) malformed()
  return Number(text)
}

function malformed(): never {
  throw new TsrunError('invalid-argument', 'its sparse map is malformed')
}
