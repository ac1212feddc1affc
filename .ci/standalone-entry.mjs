/**
 * Puts native-bindings/launch-standalone.c before the first instruction of the executable that Bun compiled: as a
 * segment of its own, in the place of the ELF notes, which nobody reads. The kernel starts it as a static
 * program, and it loads the dynamic loader itself when it needs the engine.
 */
const ET_EXEC = 2
const PT = { NULL: 0, LOAD: 1, INTERP: 3, NOTE: 4, PHDR: 6 }
const READ_AND_EXECUTE = 5
const EM = { x86_64: 62, aarch64: 183 }
/** The largest page that a kernel may have. */
const ALIGNMENT = 65536
const HEADER_SIZE = 56

/** The ELF file `image` with the entry in front that is in the ELF file `entry`. */
export function addEntry(image, entry, architecture) {
  for (const file of [image, entry])
    if (file.readUInt32BE(0) !== 0x7f454c46 || file.readUInt16LE(18) !== EM[architecture])
      throw new Error(`this is no ELF executable for ${architecture}`)
  if (image.readUInt16LE(16) !== ET_EXEC) throw new Error('this executable has no fixed addresses')
  const segments = headersOf(image)
  const interpreter = segments.find(({ type }) => type === PT.INTERP)
  const notes = segments.filter(({ type }) => type === PT.NOTE).at(-1)
  const end = Math.max(...segments.map(({ address, memory }) => address + memory))
  const code = headersOf(entry).find(({ type }) => type === PT.LOAD)
  if (interpreter === undefined || notes === undefined || segments.at(-1) !== notes)
    throw new Error('this executable has no place for another segment')
  if (end > code.address) throw new Error('this executable is where its entry is to be')
  const text = Buffer.from(entry.subarray(code.offset, code.offset + code.size))
  const headers = align(code.address + text.length, 8)
  setParameters(text, [Number(image.readBigUInt64LE(24)), headers, interpreter.address])
  const segment = Buffer.concat([
    text,
    Buffer.alloc(headers - code.address - text.length),
    engineHeaders(image, segments, headers),
  ])
  const offset = align(image.length, ALIGNMENT)
  const whole = Buffer.concat([image, Buffer.alloc(offset - image.length), segment])
  whole.writeUInt32LE(PT.NULL, interpreter.position)
  whole.writeUInt32LE(PT.LOAD, notes.position)
  whole.writeUInt32LE(READ_AND_EXECUTE, notes.position + 4)
  const numbers = [offset, code.address, code.address, segment.length, segment.length, ALIGNMENT]
  writeNumbers(whole, notes.position + 8, numbers)
  whole.writeBigUInt64LE(entry.readBigUInt64LE(24), 24)
  return whole
}

/** `engine` of launch-standalone.c. */
function setParameters(text, values) {
  for (const at of [0, 8, 16])
    if (text.readBigUInt64LE(at) !== 1n) throw new Error('the entry has no parameters')
  writeNumbers(text, 0, values)
}

/** The program headers as the dynamic loader is to see them, at the address where they will be. */
function engineHeaders(image, segments, address) {
  const start = segments[0].position
  const copy = Buffer.from(image.subarray(start, start + segments.length * HEADER_SIZE))
  for (const { type, position } of segments)
    if (type === PT.PHDR) writeNumbers(copy, position - start + 16, [address, address])
  return copy
}

function writeNumbers(buffer, at, values) {
  values.forEach((value, i) => {
    buffer.writeBigUInt64LE(BigInt(value), at + i * 8)
  })
}

function align(value, to) {
  return Math.ceil(value / to) * to
}

function headersOf(image) {
  const start = Number(image.readBigUInt64LE(32))
  return Array.from({ length: image.readUInt16LE(56) }, (_, i) => {
    const position = start + i * HEADER_SIZE
    return {
      position,
      type: image.readUInt32LE(position),
      offset: Number(image.readBigUInt64LE(position + 8)),
      address: Number(image.readBigUInt64LE(position + 16)),
      size: Number(image.readBigUInt64LE(position + 32)),
      memory: Number(image.readBigUInt64LE(position + 40)),
    }
  })
}
