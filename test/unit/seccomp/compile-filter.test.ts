import { describe, expect, it } from 'vitest'
import { TsrunError } from '../../../src/errors.ts'
import {
  highestSyscallNumber,
  type SyscallArchitecture,
  syscallNumber,
  X32_SYSCALL_BIT,
} from '../../../src/linux/syscall-numbers.ts'
import type { Seccomp, SeccompRule } from '../../../src/oci/runtime-config.ts'
import { compileFilter } from '../../../src/seccomp/compile-filter.ts'
import { loadFilter, seccompData } from '../../support/bpf-interpreter.ts'

const AUDIT: Readonly<Record<SyscallArchitecture, number>> = {
  x86_64: 0xc000003e,
  x32: 0xc000003e,
  x86: 0x40000003,
  aarch64: 0xc00000b7,
  arm: 0x40000028,
}
const KILL_THREAD = 0
const ALLOW = 0x7fff0000
const errno = (number: number): number => 0x50000 + number
const EPERM = errno(1)
const ENOSYS = errno(38)

function verdict(
  profile: Seccomp,
  architecture: SyscallArchitecture,
  call: string | number,
  args: readonly bigint[] = [],
  host: 'x86_64' | 'aarch64' = 'x86_64',
): number {
  const number = typeof call === 'number' ? call : syscallNumber(architecture, call)
  if (number === undefined) throw new Error(`no ${call} on ${architecture}`)
  const filter = loadFilter(compileFilter(profile, host).program)
  return filter(seccompData({ number, architecture: AUDIT[architecture], args })).verdict
}

function deny(...syscalls: readonly SeccompRule[]): Seccomp {
  return { defaultAction: 'SCMP_ACT_ERRNO', syscalls }
}

function permit(...syscalls: readonly SeccompRule[]): Seccomp {
  return { defaultAction: 'SCMP_ACT_ALLOW', syscalls }
}

function allow(names: readonly string[], ...args: NonNullable<SeccompRule['args']>): SeccompRule {
  return { names, action: 'SCMP_ACT_ALLOW', args }
}

describe('compileFilter() actions', () => {
  it.each([
    ['SCMP_ACT_KILL', undefined, 0],
    ['SCMP_ACT_KILL_THREAD', undefined, 0],
    ['SCMP_ACT_KILL_PROCESS', undefined, 0x80000000],
    ['SCMP_ACT_TRAP', undefined, 0x30000],
    ['SCMP_ACT_ERRNO', undefined, 0x50001],
    ['SCMP_ACT_ERRNO', 0, 0x50000],
    ['SCMP_ACT_ERRNO', 4095, 0x50fff],
    ['SCMP_ACT_TRACE', undefined, 0x7ff00001],
    ['SCMP_ACT_TRACE', 0xffff, 0x7ff0ffff],
    ['SCMP_ACT_LOG', undefined, 0x7ffc0000],
    ['SCMP_ACT_NOTIFY', undefined, 0x7fc00000],
  ])('returns %s with %s as %i', (action, data, value) => {
    const rule = { names: ['mkdir'], action, ...(data === undefined ? {} : { errnoRet: data }) }
    expect(verdict(permit(rule), 'x86_64', 'mkdir')).toBe(value)
    expect(verdict(permit(rule), 'x86_64', 'rmdir')).toBe(ALLOW)
  })
})

describe('compileFilter() operators', () => {
  const value = 2 ** 32 + 5
  it.each([
    ['SCMP_CMP_EQ', [0n, 0n, 1n, 0n, 0n]],
    ['SCMP_CMP_NE', [1n, 1n, 0n, 1n, 1n]],
    ['SCMP_CMP_LT', [1n, 1n, 0n, 0n, 0n]],
    ['SCMP_CMP_LE', [1n, 1n, 1n, 0n, 0n]],
    ['SCMP_CMP_GE', [0n, 0n, 1n, 1n, 1n]],
    ['SCMP_CMP_GT', [0n, 0n, 0n, 1n, 1n]],
  ])('compares all 64 bits with %s', (op, expected) => {
    const profile = deny(allow(['read'], { index: 2, op, value }))
    const around = [5n, 0x1_0000_0004n, 0x1_0000_0005n, 0x1_0000_0006n, 0x2_0000_0000n]
    const verdicts = around.map((arg) => verdict(profile, 'x86_64', 'read', [0n, 0n, arg]))
    expect(verdicts).toEqual(expected.map((holds) => (holds === 1n ? ALLOW : EPERM)))
  })

  it.each([
    [0x7e02_0000, 0, 0x11n, ALLOW],
    [0x7e02_0000, 0, 0x1000_0011n, EPERM],
    [0x7e02_0000, 0, 0x1_0000_0000n, ALLOW],
    [2 ** 32, 2 ** 32, 0x1_0000_0007n, ALLOW],
    [2 ** 32, 2 ** 32, 0x7n, EPERM],
    [0, 0, 0xffff_ffff_ffff_ffffn, ALLOW],
    [0xf0, 0x1ff, 0xf5n, ALLOW],
    [2 ** 64, 2 ** 64, 0xffff_ffff_ffff_ffffn, ALLOW],
    [2 ** 64, 2 ** 64, 0x7fff_ffff_ffff_ffffn, EPERM],
  ])('compares the bits of mask %d with %d: %d', (mask, valueTwo, arg, expected) => {
    const profile = deny(
      allow(['clone'], { index: 0, op: 'SCMP_CMP_MASKED_EQ', value: mask, valueTwo }),
    )
    expect(verdict(profile, 'x86_64', 'clone', [arg])).toBe(expected)
  })

  it('ignores upper halves of 32-bit calls', () => {
    const profile = {
      ...deny(allow(['read'], { index: 0, op: 'SCMP_CMP_EQ', value: 7 })),
      architectures: ['SCMP_ARCH_X86'],
    }
    expect(verdict(profile, 'x86', 'read', [0x1_0000_0007n])).toBe(ALLOW)
    expect(verdict(profile, 'x86_64', 'read', [0x1_0000_0007n])).toBe(EPERM)
  })

  it('wants every condition of a rule, and any rule of a call', () => {
    const profile = deny(
      allow(
        ['fcntl'],
        { index: 0, op: 'SCMP_CMP_EQ', value: 1 },
        { index: 1, op: 'SCMP_CMP_EQ', value: 2 },
      ),
      allow(['fcntl'], { index: 1, op: 'SCMP_CMP_GT', value: 8 }),
    )
    const at = (a: bigint, b: bigint): number => verdict(profile, 'x86_64', 'fcntl', [a, b])
    expect([at(1n, 2n), at(1n, 3n), at(2n, 2n), at(5n, 9n)]).toEqual([ALLOW, EPERM, EPERM, ALLOW])
  })

  it('takes conditions on one argument twice as alternatives', () => {
    const profile = deny(
      allow(
        ['personality'],
        { index: 0, op: 'SCMP_CMP_LT', value: 5 },
        { index: 0, op: 'SCMP_CMP_GE', value: 2 },
      ),
    )
    expect(verdict(profile, 'x86_64', 'personality', [9n])).toBe(ALLOW)
  })
})

describe('compileFilter() rules that meet', () => {
  const when = { index: 0, op: 'SCMP_CMP_EQ', value: 1 }

  it('lets the first rule without conditions decide', () => {
    const profile = deny(
      { names: ['kill'], action: 'SCMP_ACT_TRAP', args: [when] },
      { names: ['kill'], action: 'SCMP_ACT_LOG' },
      { names: ['kill'], action: 'SCMP_ACT_KILL' },
    )
    expect(verdict(profile, 'x86_64', 'kill', [1n])).toBe(0x7ffc0000)
    expect(compileFilter(profile, 'x86_64').warnings).toEqual([
      'linux.seccomp.syscalls[2]: another rule decides kill before this one can',
    ])
  })

  it('drops rules that repeat the default action', () => {
    const profile = deny(
      { names: ['kill'], action: 'SCMP_ACT_ERRNO', errnoRet: 1 },
      allow(['kill'], when),
    )
    expect(verdict(profile, 'x86_64', 'kill', [1n])).toBe(ALLOW)
  })

  it('tests the more special value first', () => {
    const profile = deny(
      { names: ['kill'], action: 'SCMP_ACT_LOG', args: [{ ...when, op: 'SCMP_CMP_LT', value: 9 }] },
      { names: ['kill'], action: 'SCMP_ACT_TRAP', args: [when] },
    )
    expect([1n, 2n, 9n].map((arg) => verdict(profile, 'x86_64', 'kill', [arg]))).toEqual([
      0x30000,
      0x7ffc0000,
      EPERM,
    ])
  })

  it('refuses two actions for the same arguments', () => {
    const profile = deny(allow(['kill'], when), {
      names: ['kill'],
      action: 'SCMP_ACT_TRAP',
      args: [when],
    })
    expect(() => compileFilter(profile, 'x86_64')).toThrow(
      'linux.seccomp.syscalls[1]: an earlier rule gives kill another action for the same arguments',
    )
  })

  it('reaches i386 calls through socketcall and ipc', () => {
    const profile = { ...deny(allow(['connect', 'shmget'])), architectures: ['SCMP_ARCH_X86'] }
    expect(verdict(profile, 'x86', 'socketcall', [3n])).toBe(ALLOW)
    expect(verdict(profile, 'x86', 'socketcall', [4n])).toBe(EPERM)
    expect(verdict(profile, 'x86', 'ipc', [23n])).toBe(ALLOW)
    expect(verdict(profile, 'x86', 'ipc', [3n])).toBe(EPERM)
  })
})

describe('compileFilter() architectures', () => {
  const profile = deny(allow(['read', 'openat2']))

  it.each([
    ['x86_64', 'x86'],
    ['x86_64', 'aarch64'],
    ['aarch64', 'x86_64'],
    ['aarch64', 'arm'],
  ] as const)('kills on %s what calls as %s, unlisted', (host, other) => {
    expect(verdict(profile, host, 'read', [], host)).toBe(ALLOW)
    expect(verdict(profile, other, 'read', [], host)).toBe(KILL_THREAD)
  })

  it('kills x32 calls unless listed, but not -1, which skips a call', () => {
    expect(verdict(profile, 'x32', 'read')).toBe(KILL_THREAD)
    expect(verdict(profile, 'x86_64', 0xffffffff)).toBe(EPERM)
    const listed = { ...profile, architectures: ['SCMP_ARCH_X32'] }
    expect(verdict(listed, 'x32', 'read')).toBe(ALLOW)
    expect(verdict(listed, 'x86_64', 'read')).toBe(ALLOW)
  })

  it('kills x86_64 calls on aarch64 even when x32 is listed', () => {
    const listed = { ...profile, architectures: ['SCMP_ARCH_X32'] }
    expect(verdict(listed, 'x86_64', 'read', [], 'aarch64')).toBe(KILL_THREAD)
    expect(verdict(listed, 'x32', 'read', [], 'aarch64')).toBe(ALLOW)
  })

  it('passes over machines whose code cannot run here, and says so', () => {
    const filter = compileFilter({ ...profile, architectures: ['SCMP_ARCH_S390X'] }, 'x86_64')
    expect(filter.program).toEqual(compileFilter(profile, 'x86_64').program)
    expect(filter.warnings).toEqual([
      'linux.seccomp.architectures[0]: this machine cannot run SCMP_ARCH_S390X',
    ])
  })
})

describe('compileFilter() calls newer than the profile', () => {
  const profile = {
    ...deny(allow(['read', 'openat2', 'set_tls', 'execve'])),
    architectures: ['SCMP_ARCH_X86', 'SCMP_ARCH_X32', 'SCMP_ARCH_ARM'],
  }
  const openat2 = 437

  it.each(['x86_64', 'x86', 'x32', 'arm'] as const)('get ENOSYS on %s', (architecture) => {
    const base = architecture === 'x32' ? X32_SYSCALL_BIT : 0
    expect(verdict(profile, architecture, base + openat2)).toBe(ALLOW)
    expect(verdict(profile, architecture, base + openat2 - 1)).toBe(EPERM)
    expect(verdict(profile, architecture, base + openat2 + 1)).toBe(ENOSYS)
    expect(verdict(profile, architecture, highestSyscallNumber(architecture) + 9)).toBe(ENOSYS)
  })

  it('do not count calls that stand apart from the sequence', () => {
    expect(verdict(profile, 'arm', 'set_tls')).toBe(ALLOW)
    expect(verdict(profile, 'arm', 'cacheflush')).toBe(EPERM)
    expect(verdict(profile, 'x32', 'execve')).toBe(ALLOW)
    expect(verdict(profile, 'x32', 'ptrace')).toBe(EPERM)
  })

  it.each(['SCMP_ACT_ALLOW', 'SCMP_ACT_LOG', 'SCMP_ACT_TRACE'])(
    'are left to a default of %s',
    (defaultAction) => {
      const permissive = { ...profile, defaultAction }
      expect(verdict(permissive, 'x86_64', 600)).toBe(verdict(permissive, 'x86_64', 'mkdir'))
    },
  )

  it('get the default action when the profile names no call', () => {
    expect(verdict(deny(), 'x86_64', 600)).toBe(EPERM)
    expect(verdict(deny(allow(['no_such_call'])), 'x86_64', 'read')).toBe(EPERM)
  })
})

describe('compileFilter() flags', () => {
  it.each([
    [undefined, 4],
    [[], 0],
    [['SECCOMP_FILTER_FLAG_TSYNC'], 0],
    [['SECCOMP_FILTER_FLAG_LOG'], 2],
    [['SECCOMP_FILTER_FLAG_LOG', 'SECCOMP_FILTER_FLAG_SPEC_ALLOW'], 6],
  ])('%j are %i', (flags, value) => {
    const profile = { ...permit(), ...(flags === undefined ? {} : { flags }) }
    expect(compileFilter(profile, 'x86_64')).toMatchObject({ flags: value, needsListener: false })
  })

  it('ask for a listener when a rule notifies', () => {
    const profile = {
      ...permit({ names: ['mkdir'], action: 'SCMP_ACT_NOTIFY' }),
      flags: ['SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV'],
    }
    expect(compileFilter(profile, 'x86_64')).toMatchObject({ flags: 40, needsListener: true })
  })
})

describe('compileFilter() limits', () => {
  it('reaches farther than a jump can', () => {
    const names = ['read', 'write', 'open', 'close', 'stat', 'fstat', 'lstat', 'poll']
    const profile = deny(
      ...names.map((name, n) =>
        allow(
          [name],
          ...Array.from({ length: 60 }, (_, i) => ({
            index: 0,
            op: 'SCMP_CMP_EQ',
            value: i * 2 ** 33 + n,
          })),
        ),
      ),
    )
    expect(compileFilter(profile, 'x86_64').instructionCount).toBeGreaterThan(1000)
    names.forEach((name, n) => {
      expect(verdict(profile, 'x86_64', name, [BigInt(59 * 2 ** 33 + n)])).toBe(ALLOW)
      expect(verdict(profile, 'x86_64', name, [BigInt(59 * 2 ** 33 + n + 1)])).toBe(EPERM)
    })
  })

  it('refuses a filter that the kernel would', () => {
    const args = Array.from({ length: 2000 }, (_, i) => ({
      index: 0,
      op: 'SCMP_CMP_EQ',
      value: i * 2 ** 32 + i,
    }))
    expect(() => compileFilter(deny(allow(['read'], ...args)), 'x86_64')).toThrow(
      /the filter takes \d+ instructions, the kernel allows 4096/,
    )
  })
})

describe('compileFilter() refuses', () => {
  const arg = { index: 0, op: 'SCMP_CMP_EQ', value: 1 }
  const rule = { names: ['read'], action: 'SCMP_ACT_ALLOW' }
  it.each([
    ['defaultAction', { defaultAction: 'SCMP_ACT_MAYBE' }],
    ['defaultAction', { defaultAction: undefined }],
    ['defaultAction', { defaultAction: 'toString' }],
    ['defaultAction', { defaultAction: 'SCMP_ACT_NOTIFY' }],
    ['defaultErrnoRet', { defaultErrnoRet: 4096 }],
    ['defaultErrnoRet', { defaultAction: 'SCMP_ACT_KILL', defaultErrnoRet: 1 }],
    ['architectures', { architectures: 'SCMP_ARCH_X86' }],
    ['architectures[1]', { architectures: ['SCMP_ARCH_X86', 'SCMP_ARCH_Z80'] }],
    ['flags[0]', { flags: ['SECCOMP_FILTER_FLAG_NEW_LISTENER'] }],
    ['flags[0]', { flags: ['SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV'] }],
    ['syscalls', { syscalls: {} }],
    ['syscalls[0]', { syscalls: [null] }],
    ['syscalls[0].names', { syscalls: [{ ...rule, names: [] }] }],
    ['syscalls[0].names', { syscalls: [{ ...rule, names: 'read' }] }],
    ['syscalls[0].names[1]', { syscalls: [{ ...rule, names: ['read', 7] }] }],
    ['syscalls[0].names[0]', { syscalls: [{ ...rule, names: [''] }] }],
    ['syscalls[1].action', { syscalls: [rule, { names: ['read'], action: 7 }] }],
    ['syscalls[0].action', { syscalls: [{ names: ['write'], action: 'SCMP_ACT_NOTIFY' }] }],
    ['syscalls[0].errnoRet', { syscalls: [{ ...rule, errnoRet: 1 }] }],
    ['syscalls[0].errnoRet', { syscalls: [{ ...rule, action: 'SCMP_ACT_ERRNO', errnoRet: -1 }] }],
    ['syscalls[0].args', { syscalls: [{ ...rule, args: 1 }] }],
    ['syscalls[0].args[0]', { syscalls: [{ ...rule, args: [null] }] }],
    ['syscalls[0].args[0].index', { syscalls: [{ ...rule, args: [{ ...arg, index: 6 }] }] }],
    ['syscalls[0].args[0].index', { syscalls: [{ ...rule, args: [{ ...arg, index: 0.5 }] }] }],
    ['syscalls[0].args[1].op', { syscalls: [{ ...rule, args: [arg, { ...arg, op: 'EQ' }] }] }],
    ['syscalls[0].args[0].value', { syscalls: [{ ...rule, args: [{ ...arg, value: -1 }] }] }],
    ['syscalls[0].args[0].value', { syscalls: [{ ...rule, args: [{ ...arg, value: '1' }] }] }],
    [
      'syscalls[0].args[0].valueTwo',
      { syscalls: [{ ...rule, args: [{ ...arg, valueTwo: 2 ** 65 }] }] },
    ],
  ])('what stands at %s of %j', (pointer, parts) => {
    const profile: unknown = { defaultAction: 'SCMP_ACT_ERRNO', ...parts }
    const compile = (): unknown => compileFilter(profile as Seccomp, 'x86_64')
    expect(compile).toThrow(TsrunError)
    expect(compile).toThrow(`cannot compile seccomp profile: linux.seccomp.${pointer}: `)
  })
})
