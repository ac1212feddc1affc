import { describe, expect, it } from 'vitest'
import { lookupsOf } from '../../../src/spec/lookups.ts'

describe('lookupsOf()', () => {
  it('names files, devices and bind sources', () => {
    const options = {
      securityOpt: ['seccomp=p.json'],
      devices: ['/dev/fuse:rw'],
      volumes: ['./a:/a'],
      mounts: ['type=bind,src=/b,dst=/b', 'type=tmpfs,dst=/c'],
      tmpfs: ['/d'],
    }
    expect(lookupsOf(options, '/w')).toEqual({
      seccompProfiles: ['p.json'],
      devices: ['/dev/fuse'],
      allDevices: false,
      bindSources: [
        { path: '/w/a', create: true },
        { path: '/b', create: false },
      ],
    })
  })

  it('asks for every device of a privileged container', () => {
    expect(lookupsOf({ privileged: true }, '/w')).toMatchObject({
      allDevices: true,
      seccompProfiles: [],
    })
  })
})
