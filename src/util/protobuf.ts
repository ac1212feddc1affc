/** Protocol buffers on the wire (protobuf.dev "Encoding"): the scalar types and messages that tsrun's peers use. */
import { TsrunError } from '../errors.ts'

export type ScalarType = 'int32' | 'uint32' | 'bool' | 'string'

export interface Field {
  readonly number: number
  readonly type: ScalarType | Schema
  readonly repeated?: true
}

/** The fields of a message by name. */
export interface Schema {
  readonly [name: string]: Field
}

export type FieldValue = number | boolean | string | Message

/** A field that is not there is absent, or undefined. */
export interface Message {
  readonly [name: string]: FieldValue | readonly FieldValue[] | undefined
}

const VARINT = 0
const FIXED64 = 1
const BYTES = 2
const FIXED32 = 5
const MAX_VARINT_BYTES = 10

/** The bytes of `message`, fields in the order of `schema`. */
export function encodeMessage(schema: Schema, message: Message): Buffer {
  const parts = Object.entries(schema).flatMap(([name, field]) => {
    const value = message[name]
    if (value === undefined) return []
    const values: readonly FieldValue[] = isList(value) ? value : [value]
    return values.map((item) => encodeField(field, item))
  })
  return Buffer.concat(parts)
}

function isList(value: FieldValue | readonly FieldValue[]): value is readonly FieldValue[] {
  return Array.isArray(value)
}

function encodeField({ number, type }: Field, value: FieldValue): Buffer {
  if (typeof value === 'number' || typeof value === 'boolean')
    return Buffer.concat([tag(number, VARINT), encodeVarint(BigInt(value))])
  const bytes =
    typeof value === 'string' ? Buffer.from(value) : encodeMessage(type as Schema, value)
  return Buffer.concat([tag(number, BYTES), encodeVarint(BigInt(bytes.length)), bytes])
}

function tag(number: number, wireType: number): Buffer {
  return encodeVarint(BigInt(number * 8 + wireType))
}

// A negative int32 is sign-extended to 64 bits: ten bytes.
function encodeVarint(value: bigint): Buffer {
  const bytes: number[] = []
  let rest = BigInt.asUintN(64, value)
  do {
    const more = rest > 0x7fn
    bytes.push(Number(rest & 0x7fn) | (more ? 0x80 : 0))
    rest >>= 7n
  } while (rest > 0n)
  return Buffer.from(bytes)
}

/**
 * The message in `bytes`; fields that `schema` has not are skipped, of a field given twice the last
 * counts. Throws `invalid-argument` for bytes that are no message.
 */
export function decodeMessage(schema: Schema, bytes: Uint8Array): Message {
  const reader = new Reader(bytes)
  const fields = new Map(
    Object.entries(schema).map(([name, field]) => [field.number, { name, field }]),
  )
  const message: Record<string, FieldValue | FieldValue[]> = Object.create(null)
  while (!reader.isAtEnd) {
    const key = Number(reader.varint() & 0xffffffffn)
    const wireType = key & 7
    const known = fields.get(key >>> 3)
    if (known === undefined) {
      reader.skip(wireType)
      continue
    }
    const value = decodeField(known.field, wireType, reader)
    const before = message[known.name]
    if (known.field.repeated !== true) message[known.name] = value
    else message[known.name] = Array.isArray(before) ? [...before, value] : [value]
  }
  return message
}

function decodeField({ type }: Field, wireType: number, reader: Reader): FieldValue {
  const isScalarNumber = type === 'int32' || type === 'uint32' || type === 'bool'
  if (wireType !== (isScalarNumber ? VARINT : BYTES)) throw malformed('a field of another type')
  if (!isScalarNumber) {
    const bytes = reader.bytes()
    return type === 'string' ? bytes.toString() : decodeMessage(type, bytes)
  }
  const value = reader.varint()
  if (type === 'bool') return value !== 0n
  return Number(type === 'int32' ? BigInt.asIntN(32, value) : BigInt.asUintN(32, value))
}

class Reader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length
  }

  varint(): bigint {
    let value = 0n
    for (let i = 0; i < MAX_VARINT_BYTES; i++) {
      const byte = this.#bytes[this.#at++]
      if (byte === undefined) throw malformed('a number that is cut short')
      value |= BigInt(byte & 0x7f) << BigInt(7 * i)
      if (byte < 0x80) return BigInt.asUintN(64, value)
    }
    throw malformed('a number of more than 64 bits')
  }

  bytes(): Buffer {
    return this.#take(this.varint())
  }

  skip(wireType: number): void {
    if (wireType === VARINT) this.varint()
    else if (wireType === FIXED64) this.#take(8n)
    else if (wireType === BYTES) this.bytes()
    else if (wireType === FIXED32) this.#take(4n)
    else throw malformed(`the wire type ${wireType}`)
  }

  #take(length: bigint): Buffer {
    if (length > BigInt(this.#bytes.length - this.#at)) throw malformed('a length beyond its end')
    const start = this.#at
    this.#at += Number(length)
    return this.#bytes.subarray(start, this.#at)
  }
}

function malformed(what: string): TsrunError {
  return new TsrunError('invalid-argument', `cannot read a protobuf message: it has ${what}`)
}
