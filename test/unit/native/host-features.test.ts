import { describe, expect, it } from 'vitest'
import {
  checkKernel,
  makesDevices,
  withheldCapabilities,
} from '../../../src/native/host-features.ts'

const EBADF = -9
const ENOSYS = -38

describe('checkKernel()', () => {
  it('takes a kernel that knows every call, whatever it says to the operands', () => {
    expect(() => checkKernel('5.14.0', () => EBADF)).not.toThrow()
  })

  it('names the call that an old kernel lacks, and the remedy', () => {
    const call = (name: string): number => (name === 'mount_setattr' ? ENOSYS : EBADF)
    expect(() => checkKernel('5.10.0-28-amd64', call)).toThrow(
      'cannot run containers on Linux 5.10.0-28-amd64: it has no mount_setattr(2)',
    )
  })
})

describe('makesDevices()', () => {
  const FIRST = '         0          0 4294967295\n'
  const status = (capabilities: string): string =>
    `Name:\tnode\nCapPrm:\tffffffffffffffff\nCapEff:\t${capabilities}\nCapBnd:\t0\n`

  it('needs CAP_MKNOD and the first user namespace', () => {
    expect(makesDevices(status('000001ffffffffff'), FIRST)).toBe(true)
    expect(makesDevices(status('0000000008000000'), FIRST)).toBe(true)
    expect(makesDevices(status('000001fff7ffffff'), FIRST)).toBe(false)
    expect(makesDevices(status('000001ffffffffff'), '0 100000 65536\n')).toBe(false)
    expect(makesDevices('', FIRST)).toBe(false)
  })
})

describe('withheldCapabilities()', () => {
  it('is what the kernel knows and the bounding set does not have', () => {
    const status = (set: string): string => `CapEff:\tffff\nCapBnd:\t${set}\nSeccomp:\t0\n`
    expect(withheldCapabilities(status('000001fffeffffff'), 40)).toEqual(['CAP_SYS_RESOURCE'])
    expect(withheldCapabilities(status('000001ffffffffff'), 40)).toEqual([])
    expect(withheldCapabilities(status('0000000000000002'), 1)).toEqual(['CAP_CHOWN'])
  })
})
