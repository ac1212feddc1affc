import { constants } from 'node:os'
import { describe, expect, it } from 'vitest'
import { errnoName, errnoNumber, errnoText, isErrnoName } from '../../../src/linux/errno.ts'

describe('errno', () => {
  it('errnoNumber() agrees with the running system for every name Node knows', () => {
    for (const [name, number] of Object.entries(constants.errno)) {
      expect(errnoNumber(name), name).toBe(number)
    }
  })

  it('errnoName() is the inverse of errnoNumber()', () => {
    for (let number = 1; number <= 133; number++) {
      if (number === 41 || number === 58) continue // numbers Linux left out
      expect(errnoNumber(errnoName(number))).toBe(number)
    }
  })

  it('errnoName() names unknown numbers', () => {
    expect(errnoName(0)).toBe('errno 0')
    expect(errnoName(41)).toBe('errno 41')
    expect(errnoName(4096)).toBe('errno 4096')
  })

  it('errnoNumber() takes second names and refuses unknown ones', () => {
    expect(errnoNumber('EWOULDBLOCK')).toBe(11)
    expect(errnoNumber('ENOTSUP')).toBe(95)
    expect(errnoNumber('EDEADLOCK')).toBe(35)
    expect(() => errnoNumber('ENOSUCHTHING')).toThrow(RangeError)
    expect(() => errnoNumber('toString')).toThrow(RangeError)
  })

  it('isErrnoName() tells names from other words', () => {
    expect(isErrnoName('EPERM')).toBe(true)
    expect(isErrnoName('ENOTSUP')).toBe(true)
    expect(isErrnoName('constructor')).toBe(false)
  })

  it('errnoText() is strerror text in lower case', () => {
    expect(errnoText('EPERM')).toBe('operation not permitted')
    expect(errnoText('EAGAIN')).toBe('resource temporarily unavailable')
    expect(errnoText('EWOULDBLOCK')).toBe('resource temporarily unavailable')
    expect(errnoText('EWHAT')).toBe('unknown error')
  })
})
