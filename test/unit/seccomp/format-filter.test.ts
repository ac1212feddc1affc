import { describe, expect, it } from 'vitest'
import { compileFilter } from '../../../src/seccomp/compile-filter.ts'
import { formatFilter } from '../../../src/seccomp/format-filter.ts'

describe('formatFilter()', () => {
  it('names architectures, calls, arguments and actions', () => {
    const profile = {
      defaultAction: 'SCMP_ACT_ERRNO',
      syscalls: [
        { names: ['read', 'write'], action: 'SCMP_ACT_ALLOW' },
        {
          names: ['clone'],
          action: 'SCMP_ACT_ALLOW',
          args: [{ index: 0, op: 'SCMP_CMP_MASKED_EQ', value: 0x7e02_0000, valueTwo: 0 }],
        },
      ],
    }
    expect(formatFilter(compileFilter(profile, 'aarch64').program)).toMatchInlineSnapshot(`
      "   0  load arch
         1  if arch == SCMP_ARCH_AARCH64 goto 3 else 2
         2  return SCMP_ACT_KILL_THREAD
         3  load nr
         4  if nr >= 65 (readv) goto 6 else 5
         5  if nr >= 63 (read) goto 11 else 12
         6  if nr >= 220 (clone) goto 7 else 12
         7  if nr >= 221 (execve) goto 13 else 8
         8  load args[0].low
         9  and 0x7e020000
        10  if args[0].low == 0x0 goto 11 else 12
        11  return SCMP_ACT_ALLOW
        12  return SCMP_ACT_ERRNO(1)
        13  return SCMP_ACT_ERRNO(38)
      "
    `)
  })

  it('prints what is no filter', () => {
    expect(formatFilter(Uint8Array.of(0x99, 0, 0, 0, 0, 0, 0, 0))).toBe(
      '   0  unknown instruction 0x99\n',
    )
    expect(formatFilter(new Uint8Array(0))).toBe('')
  })
})
