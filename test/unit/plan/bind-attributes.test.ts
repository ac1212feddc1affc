/** What the options of a bind mount set, clear, and clear because no option names it. */
import { describe, expect, it } from 'vitest'
import * as flags from '../../../src/linux/mount-flags.ts'
import { bindAttributes } from '../../../src/plan/compile/bind-attributes.ts'

const {
  MOUNT_ATTR_RDONLY: RO,
  MOUNT_ATTR_NOSUID: NOSUID,
  MOUNT_ATTR_NODEV: NODEV,
  MOUNT_ATTR_NOEXEC: NOEXEC,
  MOUNT_ATTR_NOSYMFOLLOW: NOSYMFOLLOW,
  MOUNT_ATTR__ATIME: ATIME,
  MOUNT_ATTR_NOATIME: NOATIME,
  MOUNT_ATTR_NODIRATIME: NODIRATIME,
  MOUNT_ATTR_STRICTATIME: STRICTATIME,
} = flags

describe('bindAttributes()', () => {
  it.each([
    [[]],
    [['rbind', 'rprivate', 'rro', 'idmap', 'size=1m']],
    [['constructor', '__proto__']],
  ])('%j names none', (options) => {
    expect(bindAttributes(options)).toBeUndefined()
  })

  it.each([
    [['ro'], RO, 0, NOSUID | NODEV | NOEXEC],
    [['ro', 'rw'], 0, RO, NOSUID | NODEV | NOEXEC],
    [['dev', 'nodev', 'exec', 'suid'], NODEV, NOEXEC | NOSUID, RO],
  ])('%j sets %i, clears %i, and %i goes unnamed', (options, set, clear, unnamed) => {
    const change = { asked: { set, clear: clear | NOSYMFOLLOW }, unnamed }
    expect(bindAttributes(options)).toEqual(change)
  })

  it('the links come back by nosymfollow alone', () => {
    expect(bindAttributes(['nosymfollow'])?.asked).toEqual({ set: NOSYMFOLLOW, clear: 0 })
  })

  it.each([
    [['atime', 'diratime', 'norelatime', 'nostrictatime'], 0, 0],
    [['noatime'], NOATIME, ATIME | NODIRATIME],
    [['relatime'], 0, ATIME | NODIRATIME],
    [['nodiratime', 'norelatime'], NODIRATIME, ATIME],
    [['noatime', 'strictatime'], STRICTATIME, ATIME | NODIRATIME],
    [['noatime', 'atime', 'nodiratime'], NODIRATIME, ATIME],
  ])('%j sets the access time mode %i after clearing %i', (options, set, clear) => {
    const asked = { set, clear: clear | NOSYMFOLLOW }
    expect(bindAttributes(options)?.asked).toEqual(asked)
  })
})
