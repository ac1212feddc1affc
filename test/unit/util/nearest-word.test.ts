import { describe, expect, it } from 'vitest'
import { nearestWord } from '../../../src/util/nearest-word.ts'

describe('nearestWord()', () => {
  it.each([
    ['imgaes', 'images'],
    ['image', 'images'],
    ['inspct', 'inspect'],
    ['sto', 'stop'],
    ['interact', 'interactive'],
  ])('%s was to be %s', (text, expected) => {
    expect(nearestWord(text, ['images', 'inspect', 'stop', 'run', 'interactive'])).toBe(expected)
  })

  it.each(['', 'x', 'zebra', 'a'.repeat(100_000)])('leaves %.8s alone', (text) => {
    expect(nearestWord(text, ['images', 'run'])).toBeUndefined()
  })
})
