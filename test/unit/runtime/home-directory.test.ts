import { describe, expect, it } from 'vitest'
import { homeOf, withoutRepeats } from '../../../src/runtime/home-directory.ts'

const PASSWD = 'root:x:0:0:root:/root:/bin/sh\nbad\nweb:x:33:33::/var/www:\nnone:x:7:7:::\n'

describe('homeOf()', () => {
  it.each([
    [0, '/root'],
    [33, '/var/www'],
    [7, '/'],
    [1000, '/'],
  ])('uid %i lives in %s', (uid, home) => {
    expect(homeOf(uid, PASSWD)).toBe(home)
  })
})

describe('withoutRepeats()', () => {
  it('keeps the place of the first and the value of the last', () => {
    expect(withoutRepeats(['A=1', 'B=2', 'A=3', 'C', 'A=4=5'])).toEqual(['A=4=5', 'B=2', 'C'])
  })
})
