import { describe, expect, it } from 'vitest'
import {
  idInside,
  idOutside,
  parseIdMap,
  userNamespaceMode,
} from '../../../src/spec/user-namespace.ts'

describe('userNamespaceMode()', () => {
  it('reads podman’s words', () => {
    expect(userNamespaceMode({})).toEqual({ kind: 'host' })
    expect(userNamespaceMode({ userns: 'host' })).toEqual({ kind: 'host' })
    expect(userNamespaceMode({ userns: 'nomap' })).toEqual({ kind: 'nomap' })
    expect(userNamespaceMode({ userns: 'container:web' })).toEqual({
      kind: 'container',
      container: 'web',
    })
    expect(userNamespaceMode({ userns: 'auto:size=10,uidmapping=1:2:3' })).toEqual({
      kind: 'auto',
      size: 10,
      uidMappings: [{ containerID: 1, hostID: 2, size: 3 }],
      gidMappings: [],
    })
    expect(userNamespaceMode({ userns: 'keep-id:uid=5' })).toEqual({
      kind: 'keep-id',
      uid: 5,
      gid: undefined,
    })
    expect(userNamespaceMode({ subuidName: 'a', subgidName: 'b' })).toEqual({
      kind: 'subordinate',
      user: 'a',
      group: 'b',
    })
  })

  it('takes one kind of map for both', () => {
    const ids = [{ containerID: 0, hostID: 7, size: 1 }]
    for (const options of [{ uidMaps: ['0:7'] }, { gidMaps: ['0:7:1'] }])
      expect(userNamespaceMode(options)).toEqual({
        kind: 'mapped',
        uidMappings: ids,
        gidMappings: ids,
      })
  })

  it.each([
    [{ userns: 'auto:size=x' }, 'its size is a number'],
    [{ userns: 'auto:colour=1' }, 'not "colour"'],
    [{ userns: 'auto:size' }, '"size" needs a value'],
    [{ userns: 'keep-id:uid=-1' }, '"-1" is no id'],
    [{ userns: 'ns:/proc/1/ns/user' }, 'is not known'],
    [{ userns: 'container:' }, 'it is one of'],
    [{ userns: 'a\0' }, 'NUL'],
    [{ userns: 'host', uidMaps: ['0:1:1'] }, 'say it too'],
    [{ uidMaps: ['0:1:1'], subuidName: 'a' }, '--uidmap says other ids'],
  ])('refuses %j', (options, problem) => {
    expect(() => userNamespaceMode(options)).toThrow(problem)
  })
})

describe('parseIdMap()', () => {
  it.each(['', '0', ':1:1', '0:1:1:1', '-1:0:1', '0:99999999999:1', '0:4294967295', '1e1:0:1'])(
    'refuses %j',
    (text) => expect(() => parseIdMap('uidmap', text)).toThrow('cannot use uidmap'),
  )
})

describe('idOutside()', () => {
  it('and idInside() are each other’s inverse, and know their ends', () => {
    const mappings = [
      { containerID: 0, hostID: 100, size: 10 },
      { containerID: 20, hostID: 5, size: 1 },
    ]
    expect([0, 9, 10, 20].map((id) => idOutside(id, mappings))).toEqual([100, 109, undefined, 5])
    expect([100, 109, 110, 5].map((id) => idInside(id, mappings))).toEqual([0, 9, undefined, 20])
  })
})
