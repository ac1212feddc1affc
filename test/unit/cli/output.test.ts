import { describe, expect, it } from 'vitest'
import { describeDuration, formatObjects, formatRows, timeAgo } from '../../../src/cli/output.ts'

const format = { columns: { ID: 'ID', Names: 'NAMES' }, table: ['ID', 'Names'], key: 'ID' }
const rows = [
  { ID: 'aaaa', Names: 'x' },
  { ID: 'b', Names: 'longer' },
]

describe('formatRows()', () => {
  it('aligns the plain table', () => {
    expect(formatRows(rows, format, {})).toBe('ID     NAMES\naaaa   x\nb      longer\n')
  })

  it('prints keys, JSON and templates', () => {
    expect(formatRows(rows, format, { quiet: true })).toBe('aaaa\nb\n')
    expect(formatRows(rows, format, { format: 'json' })).toBe(
      '{"ID":"aaaa","Names":"x"}\n{"ID":"b","Names":"longer"}\n',
    )
    expect(formatRows(rows, format, { format: '{{.Names}}-{{.ID}}' })).toBe('x-aaaa\nlonger-b\n')
    expect(formatRows(rows, format, { format: 'table {{.Names}}\\t{{.ID}}' })).toBe(
      'NAMES    ID\nx        aaaa\nlonger   b\n',
    )
  })

  it('prints nothing but the heading for no rows', () => {
    expect(formatRows([], format, {})).toBe('ID   NAMES\n')
    expect(formatRows([], format, { format: 'json' })).toBe('')
  })
})

describe('formatObjects()', () => {
  it('prints Maps as objects', () => {
    expect(formatObjects([{ a: new Map([['k', 1]]) }], 'json')).toBe('[{"a":{"k":1}}]\n')
    expect(JSON.parse(formatObjects([{ a: 1 }], undefined))).toEqual([{ a: 1 }])
  })
})

describe('describeDuration()', () => {
  it.each([
    [0, 'Less than a second'],
    [1000, '1 second'],
    [59_000, '59 seconds'],
    [60_000, 'About a minute'],
    [600_000, '10 minutes'],
    [5_400_000, '2 hours'],
    [4_000_000, 'About an hour'],
    [86_400_000, '24 hours'],
    [172_800_000, '2 days'],
    [1_209_600_000, '2 weeks'],
    [5_184_000_000, '2 months'],
    [63_072_000_000, '2 years'],
  ])('says %d ms as %s', (duration, text) => {
    expect(describeDuration(duration)).toBe(text)
  })
})

describe('timeAgo()', () => {
  it('counts from an RFC 3339 time', () => {
    expect(timeAgo('2026-01-01T00:00:00Z', Date.parse('2026-01-01T00:05:00Z'))).toBe(
      '5 minutes ago',
    )
  })
})
