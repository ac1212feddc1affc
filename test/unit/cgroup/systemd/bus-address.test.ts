import { describe, expect, it } from 'vitest'
import { socketOf } from '../../../../src/cgroup/systemd/bus-address.ts'

describe('socketOf()', () => {
  it.each([
    [undefined, undefined],
    ['', undefined],
    ['unix:path=/run/user/1000/bus', '/run/user/1000/bus'],
    ['unix:path=/run/bus,guid=0123', '/run/bus'],
    ['tcp:host=localhost;unix:path=/a%20b', '/a b'],
    ['unix:abstract=/tmp/x,guid=1', '\0/tmp/x'],
  ])('%j is at %j', (addresses, socket) => {
    expect(socketOf(addresses)).toBe(socket)
  })

  it.each(['tcp:host=localhost', 'unix:', 'unix:path=%zz', 'nonsense', ';'])(
    'refuses %j',
    (addresses) => {
      expect(() => socketOf(addresses)).toThrow('cannot use the D-Bus address')
    },
  )
})
