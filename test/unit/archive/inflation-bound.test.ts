import { describe, expect, it } from 'vitest'
import { checkInflation } from '../../../src/archive/inflation-bound.ts'

const GIB = 1024 ** 3

describe('checkInflation()', () => {
  it('allows 1 GiB of anything, and 200 times the size', () => {
    checkInflation(GIB, 10, {})
    checkInflation(200 * GIB, GIB, {})
    expect(() => checkInflation(GIB + 1, 10, {})).toThrow('inflates to more than 1GiB, from 10B')
    expect(() => checkInflation(200 * GIB + 1, GIB, {})).toThrow('more than 200GiB, from 1GiB')
  })

  it('goes by the whole size where it is known, and by what was read where not', () => {
    checkInflation(2 * GIB, 10, { packedSize: GIB })
    expect(() => checkInflation(2 * GIB, 10, {})).toThrow('more than 1GiB')
  })

  it('takes the word of the user instead', () => {
    checkInflation(2 * GIB, 10, { maximum: 3 * GIB })
    expect(() => checkInflation(11, 10, { maximum: 10 })).toThrow('more than 10B')
  })
})
