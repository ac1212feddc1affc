import { describe, expect, it } from 'vitest'
import {
  isRlimitName,
  RLIM_INFINITY,
  rlimitNumber,
  rlimitValue,
} from '../../../src/linux/rlimits.ts'

describe('rlimits', () => {
  it('rlimitNumber() knows the kernel numbers', () => {
    expect(rlimitNumber('RLIMIT_CPU')).toBe(0)
    expect(rlimitNumber('RLIMIT_NOFILE')).toBe(7)
    expect(rlimitNumber('RLIMIT_RTTIME')).toBe(15)
    expect(rlimitNumber('nofile')).toBeUndefined()
  })

  it('isRlimitName() is not fooled by inherited names', () => {
    expect(isRlimitName('constructor')).toBe(false)
  })

  it('rlimitValue() turns values that JSON cannot carry exactly into infinity', () => {
    expect(rlimitValue(1024)).toBe(1024n)
    expect(rlimitValue(Number.MAX_SAFE_INTEGER)).toBe(9007199254740991n)
    expect(rlimitValue(2 ** 53)).toBe(RLIM_INFINITY)
    expect(rlimitValue(JSON.parse('18446744073709551615'))).toBe(RLIM_INFINITY)
  })
})
