import { describe, expect, it } from 'vitest'
import { cdiDevices, hostDevices } from '../../../src/spec/cdi-names.ts'

describe('cdiDevices()', () => {
  it('tells names from paths', () => {
    const devices = ['/dev/null', 'vendor.com/net=card0', '/dev/a=b:/dev/c']
    expect(cdiDevices({ devices })).toEqual(['vendor.com/net=card0'])
    expect(hostDevices({ devices })).toEqual(['/dev/null', '/dev/a=b:/dev/c'])
  })

  it.each([
    ['all', ['all']],
    ['2', ['0', '1']],
    ['device=0,GPU-1', ['0', 'GPU-1']],
    ['"device=0,1"', ['0', '1']],
  ])('--gpus %s', (gpus, names) => {
    expect(cdiDevices({ gpus })).toEqual(names.map((name) => `nvidia.com/gpu=${name}`))
  })

  it.each(['', '0', '-1', 'none', 'device=', 'device=a b', 'count=all'])('refuses %j', (gpus) => {
    expect(() => cdiDevices({ gpus })).toThrow(/^cannot use gpus /)
  })
})
