import { describe, expect, it } from 'vitest'
import { scopeName, slicePath } from '../../../../src/cgroup/systemd/unit-name.ts'

describe('scopeName()', () => {
  it.each([
    [undefined, 'system.slice', 'tsrun-web.scope'],
    ['', 'system.slice', 'tsrun-web.scope'],
    ['machine.slice:libpod:0123', 'machine.slice', 'libpod-0123.scope'],
    [':docker:0123', 'system.slice', 'docker-0123.scope'],
    ['a-b.slice::0123', 'a-b.slice', '0123.scope'],
    ['-.slice:x:y', '-.slice', 'x-y.scope'],
  ])('%j is in %s as %s', (given, slice, unit) => {
    expect(scopeName(given, 'web', 'system.slice')).toEqual({ slice, unit })
  })

  it('escapes what a container id may have and a unit may not', () => {
    expect(scopeName(undefined, 'a+b', 'system.slice').unit).toBe('tsrun-a\\x2bb.scope')
  })

  it.each(['/a/b', 'machine.slice', 'a.slice:b', 'a.slice:b:c:d'])(
    'refuses %j in runc’s words',
    (given) => {
      expect(() => scopeName(given, 'web', 'system.slice')).toThrow(
        'expected cgroupsPath to be of format "slice:prefix:name" for systemd cgroups',
      )
    },
  )

  it.each([
    'a.slice:p:n/../../x',
    'a.slice:p:n x',
    'a.slice:p:',
    `a.slice:p:${'n'.repeat(260)}`,
    'a.slice:p:n\n',
  ])('refuses the name in %j', (given) => {
    if (given === 'a.slice:p:')
      return expect(scopeName(given, 'web', 'x.slice').unit).toBe('p-.scope')
    expect(() => scopeName(given, 'web', 'system.slice')).toThrow('invalid name of a systemd unit')
  })

  it.each([
    'a:b:c',
    '.slice:b:c',
    'a--b.slice:p:n',
    '-a.slice:p:n',
    'a/b.slice:p:n',
    '../x.slice:p:n',
    'a b.slice:p:n',
  ])('refuses the slice in %j', (given) => {
    expect(() => scopeName(given, 'web', 'system.slice')).toThrow('invalid slice name')
  })

  it('refuses a slice as the place of processes', () => {
    expect(() => scopeName('a.slice:p:b.slice', 'web', 'system.slice')).toThrow('not in a slice')
  })
})

describe('slicePath()', () => {
  it.each([
    ['-.slice', '/'],
    ['a.slice', '/a.slice'],
    ['a-b-c.slice', '/a.slice/a-b.slice/a-b-c.slice'],
  ])('%s is at %s', (slice, path) => {
    expect(slicePath(slice)).toBe(path)
  })
})
