import { describe, expect, it } from 'vitest'
import { parseCpuList } from '../../../../src/cgroup/systemd/cpu-list.ts'

describe('parseCpuList()', () => {
  it.each([
    ['0', [1]],
    ['0-2,5', [0b100111]],
    ['8', [0, 1]],
    [' 1 , 3-3,', [0b1010]],
    ['0-15', [255, 255]],
    ['', []],
  ])('%j is %j', (list, mask) => {
    expect([...parseCpuList(list)]).toEqual(mask)
  })

  it.each(['a', '-1', '3-1', '1-', '0x1', '1;2', '99999', '0-99999', '1--2'])(
    'refuses %j',
    (list) => {
      expect(() => parseCpuList(list)).toThrow('cannot read the list')
    },
  )
})
