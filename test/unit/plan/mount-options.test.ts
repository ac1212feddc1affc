/** Mount option strings as kernel values: what wins, what is handed on, what is refused. */
import { describe, expect, it } from 'vitest'
import * as flags from '../../../src/linux/mount-flags.ts'
import { isBind, parseMountOptions } from '../../../src/plan/compile/mount-options.ts'

const { MOUNT_ATTR_RDONLY: RO, MOUNT_ATTR_NOSUID: NOSUID, MOUNT_ATTR__ATIME: ATIME } = flags

describe('parseMountOptions()', () => {
  it.each([
    [[], { set: 0, clear: 0 }],
    [['ro'], { set: RO, clear: 0 }],
    [['ro', 'rw'], { set: 0, clear: RO }],
    [['rw', 'ro'], { set: RO, clear: 0 }],
    [['ro', 'nosuid', 'suid'], { set: RO, clear: NOSUID }],
    [['noatime'], { set: flags.MOUNT_ATTR_NOATIME, clear: ATIME }],
    [['noatime', 'strictatime'], { set: flags.MOUNT_ATTR_STRICTATIME, clear: ATIME }],
    [['strictatime', 'relatime'], { set: 0, clear: ATIME }],
    [
      ['noatime', 'nodiratime'],
      { set: flags.MOUNT_ATTR_NOATIME | flags.MOUNT_ATTR_NODIRATIME, clear: ATIME },
    ],
  ])('%j changes the mount by %j', (options, own) => {
    expect(parseMountOptions(options).own).toEqual(own)
    const deep = options.map((option) => `r${option}`)
    expect(parseMountOptions(deep)).toMatchObject({ own: { set: 0, clear: 0 }, recursive: own })
  })

  it('does not take rbind, rprivate and remount for recursive attributes', () => {
    const { own, recursive, propagation, bind, remount, filesystem } = parseMountOptions([
      'rbind',
      'rprivate',
      'remount',
    ])
    expect([own, recursive]).toEqual([
      { set: 0, clear: 0 },
      { set: 0, clear: 0 },
    ])
    expect(propagation).toEqual([{ type: flags.MS_PRIVATE, recursive: true }])
    expect({ bind, remount, filesystem }).toEqual({ bind: 'rbind', remount: true, filesystem: [] })
  })

  it.each([
    [['size=1m'], [['size', '1m']]],
    [
      ['size=1m,mode=700', 'sync'],
      [
        ['size', '1m'],
        ['mode', '700'],
        ['sync', undefined],
      ],
    ],
    [['lowerdir=/a\\,b:/c'], [['lowerdir', '/a\\,b:/c']]],
    [['context="a:b:c1,c2"'], [['context', 'a:b:c1,c2']]],
    [['key=a=b'], [['key', 'a=b']]],
    [[',', ''], []],
    [['defaults', 'silent', 'iversion'], []],
    [['idmap', 'ridmap=uids=0-0-1;gids=0-0-1', 'tmpcopyup'], []],
  ])('%j hands %j to the file system', (options, expected) => {
    expect(parseMountOptions(options).filesystem).toEqual(expected)
  })

  it('names what it does not do', () => {
    expect(parseMountOptions(['ro', 'copy-symlink', 'src-nofollow']).unsupported).toEqual([
      'copy-symlink',
      'src-nofollow',
    ])
  })
})

describe('isBind()', () => {
  it.each([
    [{ type: 'bind' }, [], true],
    [{ type: 'none' }, ['rbind'], true],
    [{ type: 'tmpfs' }, ['bind'], true],
    [{ type: 'tmpfs' }, [], false],
    [{}, [], false],
  ])('of %j with %j is %s', (mount, options, expected) => {
    expect(isBind({ destination: '/x', ...mount }, parseMountOptions(options))).toBe(expected)
  })
})
