import { describe, expect, it } from 'vitest'
import { formatPlace, parsePlace } from '../../../src/cgroup/cgroup-place.ts'

describe('parsePlace()', () => {
  it.each([
    { path: '/sys/fs/cgroup/tsrun/a' },
    { path: '/sys/fs/cgroup/a b.scope' },
    { path: '/c/x.scope', scope: { unit: 'x-\\x2b.scope', manager: 'system' as const } },
    { path: '/c/x.scope', scope: { unit: 'x.scope', manager: 'user' as const } },
  ])('reads %j back', (place) => {
    expect(parsePlace(formatPlace(place))).toEqual(place)
  })

  it.each(['', 'relative', '/a\nroot x.scope', '/a\nsystem x.slice', '/a\nsystem x.scope\nmore'])(
    'refuses %j',
    (text) => {
      expect(() => parsePlace(text)).toThrow('cannot read where a cgroup is')
    },
  )
})
