import { describe, expect, it } from 'vitest'
import { bitMask, parseBitList } from '../../../src/linux/bit-list.ts'

describe('parseBitList()', () => {
  it.each([
    ['0', [[0, 0]]],
    [
      '0-3,7',
      [
        [0, 3],
        [7, 7],
      ],
    ],
    [
      ' 1 , 2-2',
      [
        [1, 1],
        [2, 2],
      ],
    ],
    ['32767', [[32767, 32767]]],
  ])('reads %j', (text, ranges) => {
    expect(parseBitList(text)).toEqual(ranges)
  })

  it.each(['', ',', '1,', '-1', '3-1', '32768', '0-99999999999', '1 2', '0x1', 'a', '1-2-3', '٣'])(
    'refuses %j',
    (text) => {
      expect(parseBitList(text)).toBeUndefined()
    },
  )
})

describe('bitMask()', () => {
  it('is whole words, the lowest bit first', () => {
    expect(Buffer.from(bitMask('0-1,7')).toString('hex')).toBe('8300000000000000')
    expect(Buffer.from(bitMask('64')).toString('hex')).toBe('00000000000000000100000000000000')
  })
})
