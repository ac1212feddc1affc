import { describe, expect, it } from 'vitest'
import {
  type DbusValues,
  decodeValues,
  encodeValues,
  splitSignature,
} from '../../../../src/cgroup/systemd/dbus-values.ts'

describe('splitSignature()', () => {
  it.each([
    ['', []],
    ['sa(sv)u', ['s', 'a(sv)', 'u']],
    ['a{sa{sv}}(ii)', ['a{sa{sv}}', '(ii)']],
  ])('%j is %j', (signature, types) => {
    expect(splitSignature(signature)).toEqual(types)
  })

  it.each(['a', '(', '(s', '()', 'z', 's)', '{', 'a'.repeat(40), '('.repeat(40)])(
    'refuses %j',
    (bad) => {
      expect(() => splitSignature(bad)).toThrow('bad D-Bus signature')
    },
  )
})

describe('encodeValues()', () => {
  it('lays a string out as the specification says', () => {
    expect([...encodeValues('s', ['foo'])]).toEqual([3, 0, 0, 0, 102, 111, 111, 0])
  })

  it('pads before a 64-bit value and counts no padding before the first element of an array', () => {
    expect([...encodeValues('at', [[5n]])]).toEqual([
      8, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0,
    ])
    expect([...encodeValues('at', [[]])]).toEqual([0, 0, 0, 0, 0, 0, 0, 0])
  })

  it('refuses a string with a NUL byte, and values that are not of the type', () => {
    expect(() => encodeValues('s', ['a\0b'])).toThrow('NUL')
    expect(() => encodeValues('as', ['a'])).toThrow('no D-Bus list')
    expect(() => encodeValues('v', ['a'])).toThrow('no D-Bus variant')
    expect(() => encodeValues('ss', ['a'])).toThrow('1 values')
  })
})

const SAMPLES: readonly (readonly [string, DbusValues])[] = [
  ['ybnqiuxtdsog', [255, true, -2, 3, -4, 5, -6n, 2n ** 64n - 1n, 0.5, 'é', '/a/b', 'as']],
  ['a(sv)', [[['Slice', { signature: 's', value: 'a.slice' }]]]],
  ['ayu', [new Uint8Array([1, 2, 3]), 7]],
  ['a{sv}as', [[['k', { signature: 'a(st)', value: [['x', 9n]] }]], ['p', 'q']]],
  ['vb', [{ signature: 'v', value: { signature: 'y', value: 1 } }, false]],
]

describe('decodeValues()', () => {
  it.each(SAMPLES)('reads %s back', (signature, values) => {
    expect(decodeValues(signature, encodeValues(signature, values))).toEqual(values)
  })

  it.each(SAMPLES)('refuses every beginning of %s', (signature, values) => {
    const whole = encodeValues(signature, values)
    for (let length = 0; length < whole.length; length++)
      expect(() => decodeValues(signature, whole.subarray(0, length))).toThrow('D-Bus message')
  })

  it('survives any change of one byte: it reads something or says what is wrong', () => {
    for (const [signature, values] of SAMPLES) {
      const whole = encodeValues(signature, values)
      for (let at = 0; at < whole.length; at++) {
        for (const byte of [0, 1, 0x7f, 0x80, 0xff]) {
          const changed = Buffer.from(whole)
          changed[at] = byte
          try {
            decodeValues(signature, changed)
          } catch (error) {
            expect(String(error)).toMatch(/D-Bus (message|signature)/)
          }
        }
      }
    }
  })

  it.each([
    ['a string without its end', 's', [1, 0, 0, 0, 97, 1]],
    ['a NUL inside a string', 's', [3, 0, 0, 0, 97, 0, 98, 0]],
    ['a boolean of 2', 'b', [2, 0, 0, 0]],
    ['an array longer than the message', 'ay', [255, 255, 255, 127]],
    ['an array that ends inside an element', 'au', [6, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0]],
    ['a variant of two types', 'v', [2, 115, 115, 0]],
    ['a variant of no type', 'v', [0, 0]],
  ])('refuses %s', (_what, signature, bytes) => {
    expect(() => decodeValues(signature, Buffer.from(bytes))).toThrow('D-Bus message')
  })

  it('refuses variants in variants without end', () => {
    const nested = Buffer.concat([
      ...Array.from({ length: 100 }, () => Buffer.from([1, 118, 0])),
      Buffer.from([1, 121, 0, 7]),
    ])
    expect(() => decodeValues('v', nested)).toThrow('nests too deep')
  })
})
