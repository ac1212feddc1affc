import { describe, expect, it } from 'vitest'
import {
  decodeMessage,
  encodeCall,
  messageLength,
} from '../../../../src/cgroup/systemd/dbus-message.ts'
import { decodeValues } from '../../../../src/cgroup/systemd/dbus-values.ts'

const CALL = {
  destination: 'org.freedesktop.systemd1',
  path: '/org/freedesktop/systemd1',
  interface: 'org.freedesktop.systemd1.Manager',
  member: 'StopUnit',
  signature: 'ss',
  body: ['a.scope', 'replace'],
}

describe('encodeCall()', () => {
  it('makes a message that reads back', () => {
    const bytes = encodeCall(CALL, 7)
    expect(messageLength(bytes)).toBe(bytes.length)
    expect(bytes.readUInt32LE(8)).toBe(7)
    const message = decodeMessage(bytes)
    expect(message).toMatchObject({
      path: CALL.path,
      interface: CALL.interface,
      member: 'StopUnit',
      signature: 'ss',
    })
    expect(decodeValues('ss', message.body)).toEqual(['a.scope', 'replace'])
  })

  it('has no signature for a call without arguments', () => {
    const message = decodeMessage(encodeCall({ ...CALL, signature: '', body: [] }, 1))
    expect(message).toMatchObject({ signature: '' })
    expect(message.body).toHaveLength(0)
  })
})

describe('messageLength()', () => {
  it('waits for a whole header', () => {
    expect(messageLength(encodeCall(CALL, 1).subarray(0, 15))).toBeUndefined()
  })

  it.each([
    ['another byte order', 0, Buffer.from('B')],
    ['another version', 3, Buffer.from([2])],
    ['a body without measure', 4, Buffer.from([0xff, 0xff, 0xff, 0xff])],
    ['a header without measure', 12, Buffer.from([0xff, 0xff, 0xff, 0x7f])],
  ])('refuses %s', (_what, at, bytes) => {
    const message = encodeCall(CALL, 1)
    bytes.copy(message, at)
    expect(() => messageLength(message)).toThrow('cannot read a D-Bus message')
  })
})

describe('decodeMessage()', () => {
  it('reads something or says what is wrong, whatever byte was changed', () => {
    const whole = encodeCall(CALL, 3)
    for (let at = 0; at < whole.length; at++) {
      for (const byte of [0, 1, 8, 0x7f, 0xff]) {
        const changed = Buffer.from(whole)
        changed[at] = byte
        try {
          if (messageLength(changed) === changed.length) decodeMessage(changed)
        } catch (error) {
          expect(String(error)).toMatch(/D-Bus (message|signature)/)
        }
      }
    }
  })

  it('refuses a header field of another type than its own', () => {
    const bytes = encodeCall(CALL, 1)
    // The first field is the path, `o`; now it claims to be a number.
    const at = bytes.indexOf(Buffer.from([1, 1, 'o'.charCodeAt(0), 0]))
    bytes[at + 2] = 'u'.charCodeAt(0)
    expect(() => decodeMessage(bytes)).toThrow('D-Bus message')
  })
})
