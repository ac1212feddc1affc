import { describe, expect, it } from 'vitest'
import { rlimitValue } from '../../../src/linux/rlimits.ts'
import { parseUlimits, UNLIMITED } from '../../../src/spec/ulimits.ts'

describe('parseUlimits()', () => {
  it('reads soft and hard, unlimited, and lets the last of a name win', () => {
    expect(parseUlimits(['nofile=1024:2048', 'core=0', 'core=-1', 'cpu=5:unlimited'])).toEqual([
      { type: 'RLIMIT_NOFILE', soft: 1024, hard: 2048 },
      { type: 'RLIMIT_CORE', soft: UNLIMITED, hard: UNLIMITED },
      { type: 'RLIMIT_CPU', soft: 5, hard: UNLIMITED },
    ])
  })

  it('writes a number that fits 64 bits in JSON and means infinity', () => {
    expect(BigInt(JSON.stringify(UNLIMITED))).toBeLessThan(2n ** 64n)
    expect(rlimitValue(JSON.parse(JSON.stringify(UNLIMITED)))).toBe(2n ** 64n - 1n)
  })

  it.each([
    '',
    'nofile',
    'nofile=',
    'nofile=a',
    'nofile=-2',
    'nofile=1:2:3',
    'nofile=2:1',
    'x=1',
    'nofile=1e3',
    'nofile=1.5',
    'nofile=9007199254740993',
    'toString=1',
  ])('refuses %j', (text) => {
    expect(() => parseUlimits([text])).toThrow(/^cannot use ulimit /)
  })
})
