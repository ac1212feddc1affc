/** Tells a tar from any other file by its first block. */

const BLOCK = 512
const CHECKSUM_AT = 148
const CHECKSUM_LENGTH = 8

/** Whether `start`, the first bytes of a file, begins with the header of a tar entry: its checksum is right. */
export function isTarHeader(start: Uint8Array): boolean {
  if (start.length < BLOCK) return false
  const header = start.subarray(0, BLOCK)
  const field = Buffer.from(header.subarray(CHECKSUM_AT, CHECKSUM_AT + CHECKSUM_LENGTH))
  const text = field
    .toString('latin1')
    .replace(/[\0 ]+$/, '')
    .trimStart()
  if (!/^[0-7]{1,7}$/.test(text)) return false
  const blank = Buffer.from(header)
  blank.fill(0x20, CHECKSUM_AT, CHECKSUM_AT + CHECKSUM_LENGTH)
  const sum = Number.parseInt(text, 8)
  // Old tars add the bytes up as signed ones.
  const signed = new Int8Array(blank.buffer, blank.byteOffset, BLOCK)
  return blank.reduce(add, 0) === sum || signed.reduce(add, 0) === sum
}

function add(total: number, byte: number): number {
  return total + byte
}
