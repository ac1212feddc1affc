import { describe, expect, it } from 'vitest'
import { splitCsv } from '../../../src/spec/split-csv.ts'

describe('splitCsv()', () => {
  it.each([
    ['', ['']],
    ['a,b', ['a', 'b']],
    ['a,', ['a', '']],
    ['"a,b",c', ['a,b', 'c']],
    ['"a""b"', ['a"b']],
    ['"', undefined],
    ['a"b', undefined],
    ['"a"b', undefined],
  ])('splits %j', (text, fields) => {
    expect(splitCsv(text)).toEqual(fields)
  })
})
