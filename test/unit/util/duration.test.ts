import { describe, expect, it } from 'vitest'
import { humanDuration, parseDuration } from '../../../src/util/duration.ts'

describe('parseDuration()', () => {
  it.each([
    ['0', 0],
    ['10s', 10_000],
    ['1.5s', 1500],
    ['.5s', 500],
    ['1h2m3s', 3_723_000],
    ['300ms', 300],
    ['2us', 0.002],
    ['-1m', -60_000],
    ['+1s', 1000],
  ])('reads %s', (text, milliseconds) => {
    expect(parseDuration(text)).toBe(milliseconds)
  })

  it.each([
    '',
    '10',
    's',
    '1d',
    '1 s',
    '1s ',
    '1e3s',
    '--1s',
    '1..5s',
    '.s',
    'NaN',
    'Infinitys',
    '1S',
    `${'9'.repeat(400)}h`,
  ])('refuses %j', (text) => {
    expect(parseDuration(text)).toBeUndefined()
  })
})

describe('humanDuration()', () => {
  it.each([
    [0, 'Less than a second'],
    [1000, '1 second'],
    [59_999, '59 seconds'],
    [60_000, 'About a minute'],
    [46 * 60_000, '46 minutes'],
    [3_600_000, 'About an hour'],
    [47 * 3_600_000, '47 hours'],
    [3 * 86_400_000, '3 days'],
    [15 * 86_400_000, '2 weeks'],
    [90 * 86_400_000, '3 months'],
    [800 * 86_400_000, '2 years'],
  ])('says %d ms', (milliseconds, text) => {
    expect(humanDuration(milliseconds)).toBe(text)
  })
})
