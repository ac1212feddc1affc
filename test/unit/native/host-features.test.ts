import { describe, expect, it } from 'vitest'
import { checkKernel } from '../../../src/native/host-features.ts'

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
