import { describe, expect, it } from 'vitest'
import { compilePattern, isGlob } from '../../../src/dockerfile/path-pattern.ts'

describe('compilePattern()', () => {
  it.each([
    ['*', 'abc', true],
    ['a*/b', 'abc/b', true],
    ['a*/b', 'a/c/b', false],
    ['a*b*c*d*e*/f', 'axbxcxdxexxx/f', true],
    ['a*b?c*x', 'abxbbxdbxebxczzy', false],
    ['[a-ζ]*', 'α', true],
    ['*[a-ζ]', 'A', false],
    ['a?b', 'a/b', false],
    ['arr[[]0].txt', 'arr[0].txt', true],
    ['a]', 'a]', true],
    ['**', 'a/b', false],
    ['a**c', 'abc', true],
    ['', '', true],
    ['', 'a', false],
  ])('matches the glob %j with %j: %j', (pattern, path, expected) => {
    expect(compilePattern(pattern, 'glob').match(path).whole).toBe(expected)
  })
})

describe('isGlob()', () => {
  it.each([
    ['a*', true],
    ['a?', true],
    ['a[b]', true],
    ['a\\*', false],
    ['a\\\\*', true],
    ['a\\', false],
    ['a]', false],
  ])('says of %j: %j', (text, expected) => {
    expect(isGlob(text)).toBe(expected)
  })

  it('takes a word of backslashes in its stride', () => {
    expect(isGlob('\\'.repeat(100_000))).toBe(false)
  })
})
