import { describe, expect, it } from 'vitest'
import { parseHealth } from '../../../src/monitor/health-file.ts'

const TIME = '2026-01-02T03:04:05.000000006Z'
const entry = (code: number, errno: number, output: string, length = output.length) =>
  `${TIME} ${TIME} ${code} ${errno} ${length}\n${output}\n`
const parse = (text: string) => parseHealth(Buffer.from(text))

describe('parseHealth()', () => {
  it('reads health, streak and results, whatever is in the output', () => {
    expect(parse('0 0\n')).toEqual({ health: 'starting', failingStreak: 0, results: [] })
    const hostile = `\n1 1\n${entry(1, 0, 'x')}`
    expect(parse(`2 3\n${entry(1, 0, hostile)}${entry(256, 110, '')}`)).toEqual({
      health: 'unhealthy',
      failingStreak: 3,
      results: [
        { start: TIME, end: TIME, exitCode: 1, failure: undefined, output: hostile },
        { start: TIME, end: TIME, exitCode: -1, failure: 'ETIMEDOUT', output: '' },
      ],
    })
  })

  it.each([
    '',
    '3 0\n',
    '1\n',
    '1 0',
    `1 0\n${entry(0, 0, 'x', 2)}`,
    `1 0\n${entry(0, 0, 'x', 99999)}`,
    `1 0\n${entry(0, 0, 'x').slice(0, -1)}`,
    `1 0\n${entry(0, 0, '').repeat(6)}`,
    `1 0\nnonsense\n`,
  ])('refuses a damaged file: %j', (text) => {
    expect(parse(text)).toBeUndefined()
  })
})
