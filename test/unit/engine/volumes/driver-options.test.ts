import { describe, expect, it } from 'vitest'
import { mountSourceOf } from '../../../../src/engine/volumes/driver-options.ts'
import { MS_NOSUID, MS_RDONLY } from '../../../../src/linux/mount-flags.ts'

function source(driverOptions: Record<string, string>, driver = 'local') {
  return mountSourceOf('v', { driver, driverOptions, labels: {} })
}

describe('mountSourceOf()', () => {
  it('has nothing to mount for a plain volume', () => {
    expect(source({})).toBeUndefined()
  })

  it('splits the options of a file system into flags and its own', () => {
    expect(source({ type: 'tmpfs', device: 'tmpfs', o: 'size=1m,nosuid,rw,ro' })).toEqual({
      kind: 'filesystem',
      type: 'tmpfs',
      source: 'tmpfs',
      flags: MS_NOSUID | MS_RDONLY,
      data: 'size=1m',
    })
  })

  it('takes a folder of the host', () => {
    const bind = { kind: 'bind', source: '/srv', flags: 0 }
    expect(source({ type: 'none', device: '/srv', o: 'bind' })).toEqual(bind)
    expect(source({ device: '/srv', o: 'rbind,rw' })).toEqual(bind)
  })

  it.each([
    [{ type: 'tmpfs' }, 'device is missing'],
    [{ device: '/srv' }, 'needs the type'],
    [{ type: 'none', device: '/srv' }, 'needs the type'],
    [{ type: 'none', device: 'srv', o: 'bind' }, 'not an absolute path'],
    [{ type: 'ext4', device: '/srv', o: 'bind' }, 'a bind has no type'],
    [{ type: 'none', device: '/srv', o: 'bind,size=1m' }, 'a bind has no option'],
    [{ size: '1g' }, 'quotas'],
    [{ toString: 'x' }, 'no option "toString"'],
  ])('refuses %j by name', (options, reason) => {
    expect(() => source(options as Record<string, string>)).toThrow(reason)
  })

  it('refuses other drivers by name', () => {
    expect(() => source({}, 'nfs')).toThrow('there is no volume driver "nfs"')
  })
})
