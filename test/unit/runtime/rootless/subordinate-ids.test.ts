import { describe, expect, it } from 'vitest'
import { loginName, parseSubordinateIds } from '../../../../src/runtime/rootless/subordinate-ids.ts'

const USER = { uid: 1000, name: 'alice' }

describe('parseSubordinateIds()', () => {
  it('takes the lines of the user, by name and by number', () => {
    const text = 'bob:100000:65536\nalice:165536:65536\n1000:300000:10\n10001:1:1\n'
    expect(parseSubordinateIds(text, USER)).toEqual([
      { start: 165_536, count: 65_536 },
      { start: 300_000, count: 10 },
    ])
  })

  it.each([
    'alice',
    'alice:1',
    'alice:-1:5',
    'alice:1:5:7',
    'alice:x:5',
    '# alice:1:5',
    'alice:1:0',
    ' :1:5',
  ])('skips %j', (line) => {
    expect(parseSubordinateIds(line, USER)).toEqual([])
  })

  it('knows a user without a name by number alone', () => {
    expect(parseSubordinateIds('undefined:1:5\n1000:7:8', { uid: 1000, name: undefined })).toEqual([
      { start: 7, count: 8 },
    ])
  })
})

describe('loginName()', () => {
  it('is the first name that has the number', () => {
    expect(loginName(1000, 'root:x:0:0::/:\nalice:x:1000:5::/:\nbob:x:1000:5::/:')).toBe('alice')
    expect(loginName(1000, ':x:1000:5::/:\nalice:x:10000:5::/:')).toBeUndefined()
  })
})
