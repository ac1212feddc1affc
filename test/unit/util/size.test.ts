import { describe, expect, it } from 'vitest'
import { binarySize, humanSize, parseSize } from '../../../src/util/size.ts'

describe('parseSize()', () => {
  it.each([
    ['0', 0],
    ['100', 100],
    ['100b', 100],
    ['64k', 65_536],
    ['64KB', 65_536],
    ['1KiB', 1024],
    ['512m', 536_870_912],
    ['1.5g', 1_610_612_736],
    ['2 GB', 2_147_483_648],
    ['1t', 1_099_511_627_776],
  ])('reads %s', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes)
  })

  it.each([
    '',
    'm',
    '-1',
    '-1m',
    '1x',
    '1mm',
    '1e3',
    '0x10',
    '1m ',
    ' 1m',
    '1.2.3k',
    '99999p',
    'NaN',
    '१m',
  ])('refuses %j', (text) => {
    expect(parseSize(text)).toBeUndefined()
  })
})

describe('humanSize()', () => {
  it.each([
    [0, '0B'],
    [999, '999B'],
    [1000, '1kB'],
    [1_234_567, '1.235MB'],
    [4_262_000_000, '4.262GB'],
  ])('says %d', (bytes, text) => {
    expect(humanSize(bytes)).toBe(text)
  })
})

describe('binarySize()', () => {
  it.each([
    [0, '0B'],
    [1023, '1023B'],
    [1024, '1KiB'],
    [16_777_216, '16MiB'],
    [1_234_567, '1.177MiB'],
    [2 ** 64, '16EiB'],
  ])('says %d', (bytes, text) => {
    expect(binarySize(bytes)).toBe(text)
  })
})
