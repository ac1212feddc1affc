import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { isDeadState, parseProcStat } from '../../../src/linux/parse-proc-stat.ts'

const TAIL = '1 7 8 0 -1 4194560 100 0 0 0 1 2 0 0 20 0 3 0 91234 1000 200 18446744073709551615'

describe('parseProcStat()', () => {
  it('reads the fields of this process', () => {
    const stat = parseProcStat(readFileSync('/proc/self/stat', 'utf8'))
    expect(stat).toMatchObject({ pid: process.pid, ppid: process.ppid })
    expect(stat?.startTime).toBeGreaterThan(0)
    expect(stat?.threads).toBeGreaterThan(0)
  })

  it('is not fooled by a command name with parentheses, spaces and newlines', () => {
    expect(parseProcStat(`42 (a) Z 1 (b\n) S ${TAIL}`)).toEqual({
      pid: 42,
      comm: 'a) Z 1 (b\n',
      state: 'S',
      ppid: 1,
      processGroup: 7,
      session: 8,
      threads: 3,
      startTime: 91234,
    })
  })

  it.each([
    '',
    '42',
    '42 (x',
    '42 x) S 1',
    '42 (x) S 1 2',
    `0 (x) S ${TAIL}`,
    `a (x) S ${TAIL}`,
    `42 (x) SS ${TAIL}`,
    ')(',
  ])('refuses %j', (text) => {
    expect(parseProcStat(text)).toBeUndefined()
  })

  it('isDeadState() knows zombies', () => {
    expect(isDeadState('Z')).toBe(true)
    expect(isDeadState('S')).toBe(false)
  })
})
