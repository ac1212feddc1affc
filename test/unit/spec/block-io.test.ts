import { describe, expect, it } from 'vitest'
import { buildBlockIo, limitedDevices } from '../../../src/spec/block-io.ts'
import type { DeviceStat, SpecOptions } from '../../../src/spec/spec-input.ts'

const DISK: DeviceStat = {
  path: '/dev/sda',
  type: 'b',
  major: 8,
  minor: 0,
  mode: 0o660,
  uid: 0,
  gid: 6,
}
const NULL: DeviceStat = { ...DISK, path: '/dev/null', type: 'c', major: 1, minor: 3 }

function blockIo(options: SpecOptions) {
  return buildBlockIo(options, [DISK, NULL])
}

describe('buildBlockIo()', () => {
  it('is nothing when nothing is asked for', () => {
    expect(blockIo({ blkioWeight: 0 })).toBeUndefined()
  })

  it('reads weights, bytes and operations', () => {
    const options = {
      blkioWeight: 500,
      blkioWeightDevice: ['/dev/sda:100'],
      deviceReadBps: ['/dev/sda:1mb'],
      deviceWriteBps: ['/dev/sda:2k'],
      deviceReadIops: ['/dev/sda:30'],
      deviceWriteIops: ['/dev/sda:40'],
    }
    const disk = { major: 8, minor: 0 }
    expect(blockIo(options)).toEqual({
      weight: 500,
      weightDevice: [{ ...disk, weight: 100 }],
      throttleReadBpsDevice: [{ ...disk, rate: 1024 * 1024 }],
      throttleWriteBpsDevice: [{ ...disk, rate: 2048 }],
      throttleReadIOPSDevice: [{ ...disk, rate: 30 }],
      throttleWriteIOPSDevice: [{ ...disk, rate: 40 }],
    })
    expect(new Set(limitedDevices(options))).toEqual(new Set(['/dev/sda']))
  })

  it.each<[SpecOptions, RegExp]>([
    [{ blkioWeight: 9 }, /blkio-weight "9"/],
    [{ blkioWeight: 1001 }, /from 10 to 1000/],
    [{ blkioWeightDevice: ['/dev/sda'] }, /must be \/dev\/path:value/],
    [{ deviceReadBps: ['/dev/sda:0'] }, /above 0/],
    [{ deviceReadBps: ['/dev/sda:many'] }, /bytes/],
    [{ deviceReadIops: ['/dev/sda:1k'] }, /a number of operations/],
    [{ deviceReadBps: ['/dev/sdz:1m'] }, /there is no device/],
    [{ deviceReadBps: ['/dev/null:1m'] }, /is no block device/],
    [{ deviceReadBps: ['/etc/passwd:1m'] }, /must be \/dev/],
  ])('refuses %j', (options, message) => {
    expect(() => blockIo(options)).toThrow(message)
  })
})
