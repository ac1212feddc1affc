import { describe, expect, it } from 'vitest'
import { wrapText } from '../../../src/util/wrap-text.ts'

describe('wrapText()', () => {
  it('breaks between words and never loses one', () => {
    expect(wrapText('a bb ccc dddd', 5)).toEqual(['a bb', 'ccc', 'dddd'])
    expect(wrapText('unbreakable', 5)).toEqual(['unbreakable'])
  })
})
