import { describe, expect, it } from 'vitest'
import { formatObjects, formatRows, timeAgo } from '../../../src/cli/output.ts'

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

describe('timeAgo()', () => {
  it('counts from an RFC 3339 time', () => {
    expect(timeAgo('2026-01-01T00:00:00Z', Date.parse('2026-01-01T00:05:00Z'))).toBe(
      '5 minutes ago',
    )
  })
})
