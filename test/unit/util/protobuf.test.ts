import { describe, expect, it } from 'vitest'
import { decodeMessage, encodeMessage, type Schema } from '../../../src/util/protobuf.ts'

const INNER: Schema = { key: { number: 1, type: 'string' }, fd: { number: 2, type: 'int32' } }
const OUTER: Schema = {
  id: { number: 1, type: 'int32' },
  flags: { number: 2, type: 'uint32' },
  on: { number: 3, type: 'bool' },
  name: { number: 16, type: 'string' },
  one: { number: 5, type: INNER },
  many: { number: 6, type: INNER, repeated: true },
}

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')
const decode = (text: string) => ({ ...decodeMessage(OUTER, hex(text)) })

describe('encodeMessage()', () => {
  // The bytes of protobuf.dev "Encoding" and of protoc.
  it.each([
    [{ id: 150 }, '08 96 01'],
    [{ id: -1 }, '08 ff ff ff ff ff ff ff ff ff 01'],
    [{ flags: 0xffffffff }, '10 ff ff ff ff 0f'],
    [{ on: true, id: 0 }, '08 00 18 01'],
    [{ name: 'testing' }, '82 01 07 74 65 73 74 69 6e 67'],
    [{ name: '' }, '82 01 00'],
    [{ one: { key: 'k' } }, '2a 03 0a 01 6b'],
    [{ many: [{ fd: 1 }, {}] }, '32 02 10 01 32 00'],
    [{ id: undefined }, ''],
  ])('%j', (message, bytes) => {
    expect(encodeMessage(OUTER, message)).toEqual(hex(bytes))
  })
})

describe('decodeMessage()', () => {
  it.each([
    ['08 96 01', { id: 150 }],
    ['08 ff ff ff ff ff ff ff ff ff 01', { id: -1 }],
    ['10 ff ff ff ff 0f', { flags: 0xffffffff }],
    ['18 00', { on: false }],
    ['08 01 08 02', { id: 2 }],
    ['32 02 10 01 32 00', { many: [{ fd: 1 }, {}] }],
    ['82 01 02 c3 a4', { name: 'ä' }],
    ['', {}],
  ])('%s', (bytes, message) => {
    expect(JSON.parse(JSON.stringify(decode(bytes)))).toEqual(message)
  })

  it('skips what it does not know', () => {
    expect(decode('48 05 51 0102030405060708 5a 02 0000 65 01020304 08 01')).toEqual({ id: 1 })
  })

  it.each([
    ['08', 'cut short'],
    ['08 ff', 'cut short'],
    ['08 ff ff ff ff ff ff ff ff ff ff 01', 'more than 64 bits'],
    ['82 01 05 61', 'beyond its end'],
    ['2a ff ff ff ff ff ff ff ff ff 01', 'beyond its end'],
    ['0a 01 61', 'another type'],
    ['80 01 01', 'another type'],
    ['4b', 'wire type 3'],
    ['2a 02 08 01', 'another type'],
  ])('refuses %s: %s', (bytes, text) => {
    expect(() => decode(bytes)).toThrow(text)
  })

  it('takes any bytes without harm', () => {
    let seed = 1
    const random = (): number => {
      seed = (seed * 1103515245 + 12345) % 2147483648
      return seed
    }
    for (let i = 0; i < 5000; i++) {
      const bytes = Buffer.from(Array.from({ length: random() % 24 }, () => random() % 256))
      try {
        const again = encodeMessage(OUTER, decodeMessage(OUTER, bytes))
        expect(encodeMessage(OUTER, decodeMessage(OUTER, again))).toEqual(again)
      } catch (error) {
        expect(String(error)).toContain('cannot read a protobuf message')
      }
    }
  })
})
