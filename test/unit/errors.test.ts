import { describe, expect, it } from 'vitest'
import { describeError, printable, TsrunError } from '../../src/errors.ts'

describe('printable()', () => {
  it.each([
    ['plain ä 名', 'plain ä 名'],
    ['a\nb\r\tc', 'a\\nb\\r\\tc'],
    ['\u001b[31mred\u009b0m\u0000\u007f', '\\u001b[31mred\\u009b0m\\u0000\\u007f'],
    ['two\u2028lines\u2029', 'two\\u2028lines\\u2029'],
  ])('makes one line of %j', (text, line) => {
    expect(printable(text)).toBe(line)
  })
})

describe('TsrunError', () => {
  it('keeps names from images and configs from steering a terminal', () => {
    const error = new TsrunError('not-found', 'no \u001b[2J', { hint: 'look\nhere' })
    expect(error.message).toBe('no \\u001b[2J')
    expect(error.hint).toBe('look\\nhere')
  })

  it('is described with foreign causes on one line', () => {
    const error = new TsrunError('internal', 'a', { cause: new Error('b\nc') })
    expect(describeError(error)).toBe('a: b\\nc')
  })
})
