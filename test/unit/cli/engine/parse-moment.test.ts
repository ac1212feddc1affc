import { describe, expect, it } from 'vitest'
import { parseMoment } from '../../../../src/cli/engine/parse-moment.ts'

const NOW = Date.parse('2026-01-02T03:04:05.678Z')
const parse = (text: string | undefined) => parseMoment('since', text, NOW)

describe('parseMoment()', () => {
  it.each([
    [undefined, undefined],
    ['10m', '2026-01-02T02:54:05.678000000Z'],
    ['1h30m', '2026-01-02T01:34:05.678000000Z'],
    ['0', '1970-01-01T00:00:00.000000000Z'],
    ['1700000000', '2023-11-14T22:13:20.000000000Z'],
    ['1700000000.5', '2023-11-14T22:13:20.500000000Z'],
    ['2026-01-02', '2026-01-02T00:00:00.000000Z'.replace('000000Z', '000000000Z')],
    ['2026-01-02T03:04:05Z', '2026-01-02T03:04:05.000000000Z'],
    ['2026-01-02T03:04:05.123456789Z', '2026-01-02T03:04:05.123456789Z'],
    ['2026-01-02T03:04:05+02:00', '2026-01-02T01:04:05.000000000Z'],
  ])('reads %s', (text, expected) => {
    expect(parse(text)).toBe(expected)
  })

  it('refuses what is no moment by name', () => {
    for (const text of ['', 'soon', '2026-13-45T00:00:00Z', '10x', '-5m']) {
      expect(() => parse(text)).toThrow(`--since "${text}"`)
    }
  })
})
