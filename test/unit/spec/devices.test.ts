import { describe, expect, it } from 'vitest'
import { chooseDevices, parseDevice } from '../../../src/spec/devices.ts'
import type { DeviceStat } from '../../../src/spec/spec-input.ts'

const node = (path: string, minor: number): DeviceStat => ({
  path,
  type: 'c',
  major: 10,
  minor,
  mode: 0o20660,
  uid: 0,
  gid: 104,
})

describe('parseDevice()', () => {
  it.each([
    ['/dev/fuse', '/dev/fuse', '/dev/fuse', 'rwm'],
    ['/dev/fuse:rw', '/dev/fuse', '/dev/fuse', 'rw'],
    ['/dev/fuse:/dev/x', '/dev/fuse', '/dev/x', 'rwm'],
    ['/dev/fuse:/dev/x:r', '/dev/fuse', '/dev/x', 'r'],
  ])('reads %s', (text, source, destination, access) => {
    expect(parseDevice(text)).toEqual({ source, destination, access })
  })

  it.each(['', 'fuse', '/dev/a:b', '/dev/a:/b:x', '/dev/a:/b:', '/dev/a:/b:rw:c', '/dev/a\0'])(
    'refuses %j',
    (text) => {
      expect(() => parseDevice(text)).toThrow(/^cannot use device /)
    },
  )
})

describe('chooseDevices()', () => {
  const stats = [node('/dev/fuse', 229), node('/dev/dri/card0', 1), node('/dev/null', 3)]

  it('gives nothing but the default rules without options', () => {
    const { devices, rules } = chooseDevices([], stats, false)
    expect(devices).toEqual([])
    expect(rules[0]).toEqual({ allow: false, access: 'rwm' })
  })

  it('makes a node and a rule for a device, and for all below a directory', () => {
    const { devices, rules } = chooseDevices(['/dev/fuse:rw', '/dev/dri:/dev/gpu'], stats, false)
    expect(devices).toEqual([
      { path: '/dev/fuse', type: 'c', major: 10, minor: 229, fileMode: 0o660, uid: 0, gid: 104 },
      { path: '/dev/gpu/card0', type: 'c', major: 10, minor: 1, fileMode: 0o660, uid: 0, gid: 104 },
    ])
    expect(rules).toContainEqual({ allow: true, type: 'c', major: 10, minor: 229, access: 'rw' })
  })

  it('refuses a device that the host lacks, also when a name only starts alike', () => {
    expect(() => chooseDevices(['/dev/dr'], stats, false)).toThrow('there is no device "/dev/dr"')
  })

  it('gives a privileged container all but the nodes the runtime makes', () => {
    const { devices, rules } = chooseDevices([], stats, true)
    expect(devices.map(({ path }) => path)).toEqual(['/dev/fuse', '/dev/dri/card0'])
    expect(rules).toEqual([{ allow: true, access: 'rwm' }])
  })
})
