/** D-Bus values as bytes, little endian (D-Bus specification, "Marshaling (Wire Format)"). */
import { TsrunError } from '../../errors.ts'

/** A value with its type: D-Bus type `v`. */
export interface Variant {
  readonly signature: string
  readonly value: DbusValue
}

/** By type: `b` boolean, `y n q i u d` number, `x t` bigint, `s o g` string, `ay` bytes, arrays and structs arrays. */
export type DbusValue = boolean | number | bigint | string | Uint8Array | Variant | DbusValues
export type DbusValues = readonly DbusValue[]

const MAX_DEPTH = 32
const MAX_ARRAY = 64 * 1024 * 1024
const ALIGNMENT: Readonly<Record<string, number>> = {
  ...{ y: 1, g: 1, v: 1 },
  ...{ n: 2, q: 2 },
  ...{ b: 4, i: 4, u: 4, s: 4, o: 4, a: 4, h: 4 },
  ...{ x: 8, t: 8, d: 8, '(': 8, '{': 8 },
}

/** The complete types of a signature: `sa(sv)` as `s` and `a(sv)`. Throws `invalid-argument`. */
export function splitSignature(signature: string): readonly string[] {
  const types: string[] = []
  for (let at = 0; at < signature.length; ) {
    const end = endOfType(signature, at, 0)
    types.push(signature.slice(at, end))
    at = end
  }
  return types
}

function endOfType(signature: string, at: number, depth: number): number {
  const letter = signature[at] ?? ''
  if (depth > MAX_DEPTH || ALIGNMENT[letter] === undefined) throw badSignature(signature)
  if (letter === 'a') return endOfType(signature, at + 1, depth + 1)
  if (letter !== '(' && letter !== '{') return at + 1
  const close = letter === '(' ? ')' : '}'
  let next = at + 1
  while (signature[next] !== close) next = endOfType(signature, next, depth + 1)
  // An empty struct is no type.
  if (next === at + 1) throw badSignature(signature)
  return next + 1
}

function badSignature(signature: string): TsrunError {
  return new TsrunError('invalid-argument', `bad D-Bus signature ${JSON.stringify(signature)}`)
}

/** `values` of the types in `signature`, one after the other. */
export function encodeValues(signature: string, values: DbusValues): Buffer {
  const writer = new Writer()
  const types = splitSignature(signature)
  if (types.length !== values.length)
    throw new RangeError(`${values.length} values for the signature ${signature}`)
  types.forEach((type, i) => {
    writer.value(type, values[i] ?? '')
  })
  return writer.finish()
}

class Writer {
  #bytes = Buffer.alloc(512)
  #length = 0

  finish(): Buffer {
    return this.#bytes.subarray(0, this.#length)
  }

  value(type: string, value: DbusValue): void {
    const letter = type[0] ?? ''
    this.#align(ALIGNMENT[letter] ?? 1)
    if (letter === 'a') this.#array(type.slice(1), value)
    else if (letter === '(' || letter === '{') this.#struct(type, value)
    else if (letter === 'v') this.#variant(value)
    else if (letter === 'g') this.#text(String(value), 1)
    else if (letter === 's' || letter === 'o') this.#text(String(value), 4)
    else this.#number(letter, value)
  }

  #number(letter: string, value: DbusValue): void {
    if (typeof value === 'object') throw new RangeError(`no D-Bus ${letter}: ${String(value)}`)
    const at = this.#reserve(ALIGNMENT[letter] ?? 1)
    const bytes = this.#bytes
    if (letter === 'y') bytes.writeUInt8(Number(value), at)
    else if (letter === 'n') bytes.writeInt16LE(Number(value), at)
    else if (letter === 'q') bytes.writeUInt16LE(Number(value), at)
    else if (letter === 'i') bytes.writeInt32LE(Number(value), at)
    else if (letter === 'd') bytes.writeDoubleLE(Number(value), at)
    else if (letter === 'x') bytes.writeBigInt64LE(BigInt(value), at)
    else if (letter === 't') bytes.writeBigUInt64LE(BigInt(value), at)
    else bytes.writeUInt32LE(Number(value), at)
  }

  #text(text: string, width: 1 | 4): void {
    const bytes = Buffer.from(text)
    if (bytes.includes(0)) throw new RangeError(`a NUL byte in ${JSON.stringify(text)}`)
    const at = this.#reserve(width)
    if (width === 1) this.#bytes.writeUInt8(bytes.length, at)
    else this.#bytes.writeUInt32LE(bytes.length, at)
    this.#append(bytes)
    this.#reserve(1)
  }

  #variant(value: DbusValue): void {
    if (!isVariant(value)) throw new RangeError(`no D-Bus variant: ${String(value)}`)
    this.#text(value.signature, 1)
    this.value(value.signature, value.value)
  }

  #struct(type: string, value: DbusValue): void {
    const members = splitSignature(type.slice(1, -1))
    members.forEach((member, i) => {
      this.value(member, listOf(value)[i] ?? '')
    })
  }

  #array(element: string, value: DbusValue): void {
    const length = this.#reserve(4)
    // Padding before the first element does not count (specification, "array").
    this.#align(ALIGNMENT[element[0] ?? ''] ?? 1)
    const start = this.#length
    if (value instanceof Uint8Array) this.#append(value)
    else for (const entry of listOf(value)) this.value(element, entry)
    this.#bytes.writeUInt32LE(this.#length - start, length)
  }

  #append(bytes: Uint8Array): void {
    const at = this.#reserve(bytes.length)
    this.#bytes.set(bytes, at)
  }

  #align(alignment: number): void {
    this.#reserve((alignment - (this.#length % alignment)) % alignment)
  }

  #reserve(count: number): number {
    const at = this.#length
    this.#length += count
    if (this.#length > this.#bytes.length) {
      const grown = Buffer.alloc(Math.max(this.#length, this.#bytes.length * 2))
      grown.set(this.#bytes)
      this.#bytes = grown
    }
    return at
  }
}

export function isVariant(value: DbusValue | undefined): value is Variant {
  return typeof value === 'object' && 'signature' in value
}

function listOf(value: DbusValue): DbusValues {
  if (Array.isArray(value)) return value
  throw new RangeError(`no D-Bus list: ${String(value)}`)
}

/**
 * The values of the types in `signature` that `bytes` begins with. Every length is checked against what
 * is there. Throws `invalid-argument`.
 */
export function decodeValues(signature: string, bytes: Buffer): DbusValues {
  const reader = new Reader(bytes)
  return splitSignature(signature).map((type) => reader.value(type, 0))
}

/** Reads values from bytes that somebody else wrote. */
class Reader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  value(type: string, depth: number): DbusValue {
    if (depth > MAX_DEPTH) throw damaged('it nests too deep')
    const letter = type[0] ?? ''
    this.#align(ALIGNMENT[letter] ?? 1)
    if (letter === 'a') return this.#array(type.slice(1), depth)
    if (letter === '(' || letter === '{')
      return splitSignature(type.slice(1, -1)).map((member) => this.value(member, depth + 1))
    if (letter === 'v') return this.#variant(depth)
    if (letter === 'g') return this.#text(this.#take(1).readUInt8())
    if (letter === 's' || letter === 'o') return this.#text(this.#take(4).readUInt32LE())
    return this.#number(letter)
  }

  #number(letter: string): DbusValue {
    const bytes = this.#take(ALIGNMENT[letter] ?? 1)
    if (letter === 'y') return bytes.readUInt8()
    if (letter === 'n') return bytes.readInt16LE()
    if (letter === 'q') return bytes.readUInt16LE()
    if (letter === 'i') return bytes.readInt32LE()
    if (letter === 'd') return bytes.readDoubleLE()
    if (letter === 'x') return bytes.readBigInt64LE()
    if (letter === 't') return bytes.readBigUInt64LE()
    const value = bytes.readUInt32LE()
    if (letter !== 'b') return value
    if (value > 1) throw damaged('a boolean is neither 0 nor 1')
    return value === 1
  }

  #text(length: number): string {
    const bytes = this.#take(length)
    if (bytes.includes(0) || this.#take(1)[0] !== 0) throw damaged('a string has no right end')
    return bytes.toString('utf8')
  }

  #variant(depth: number): Variant {
    const signature = this.#text(this.#take(1).readUInt8())
    if (splitSignature(signature).length !== 1) throw damaged('a variant has not one type')
    return { signature, value: this.value(signature, depth + 1) }
  }

  #array(element: string, depth: number): DbusValue {
    const length = this.#take(4).readUInt32LE()
    if (length > MAX_ARRAY) throw damaged('an array is too long')
    this.#align(ALIGNMENT[element[0] ?? ''] ?? 1)
    const end = this.#at + length
    if (end > this.#bytes.length) throw damaged('it is cut short')
    if (element === 'y') return new Uint8Array(this.#take(length))
    const values: DbusValue[] = []
    while (this.#at < end) values.push(this.value(element, depth + 1))
    if (this.#at !== end) throw damaged('an array ends inside an element')
    return values
  }

  #align(alignment: number): void {
    this.#take((alignment - (this.#at % alignment)) % alignment)
  }

  #take(count: number): Buffer {
    const end = this.#at + count
    if (end > this.#bytes.length) throw damaged('it is cut short')
    const bytes = this.#bytes.subarray(this.#at, end)
    this.#at = end
    return bytes
  }
}

export function damaged(reason: string): TsrunError {
  return new TsrunError('invalid-argument', `cannot read a D-Bus message: ${reason}`)
}
