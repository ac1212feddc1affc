import { describe, expect, it } from 'vitest'
import {
  CAPABILITY_NAMES,
  capabilityBit,
  capabilityMask,
  isCapabilityName,
} from '../../../src/linux/capabilities.ts'

describe('capabilities', () => {
  it('CAPABILITY_NAMES lists bits 0 to 40 in order', () => {
    expect(CAPABILITY_NAMES).toHaveLength(41)
    expect(CAPABILITY_NAMES.map((name) => capabilityBit(name))).toEqual([...Array(41).keys()])
  })

  it('capabilityBit() knows the first, an often used and the last one', () => {
    expect(capabilityBit('CAP_CHOWN')).toBe(0)
    expect(capabilityBit('CAP_SYS_ADMIN')).toBe(21)
    expect(capabilityBit('CAP_CHECKPOINT_RESTORE')).toBe(40)
  })

  it('isCapabilityName() refuses lower case, short and inherited names', () => {
    for (const name of ['cap_chown', 'CHOWN', 'toString', '__proto__', '']) {
      expect(isCapabilityName(name)).toBe(false)
    }
  })

  it('capabilityMask() sets one bit a name and leaves unknown names out', () => {
    expect(capabilityMask(['CAP_CHOWN', 'CAP_CHECKPOINT_RESTORE', 'CAP_NONE'])).toBe(
      (1n << 40n) | 1n,
    )
    expect(capabilityMask(CAPABILITY_NAMES)).toBe((1n << 41n) - 1n)
  })
})
