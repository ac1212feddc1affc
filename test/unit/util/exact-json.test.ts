import { describe, expect, it } from 'vitest'
import { stringifyExact } from '../../../src/util/exact-json.ts'

describe('stringifyExact()', () => {
  it('is JSON.stringify where that is exact', () => {
    for (const value of [
      null,
      true,
      1.5,
      'a"\n',
      [],
      {},
      [1, [null]],
      { a: { b: undefined, c: 1 } },
    ])
      expect(stringifyExact(value)).toBe(JSON.stringify(value))
  })

  it('keeps every digit of 64 bits', () => {
    expect(stringifyExact({ limit: 2n ** 64n - 1n, list: [0n] })).toBe(
      '{"limit":18446744073709551615,"list":[0]}',
    )
  })
})
