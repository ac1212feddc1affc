import { describe, expect, it } from 'vitest'
import { syscallNumber } from '../../../src/linux/syscall-numbers.ts'
import { compileFilter } from '../../../src/seccomp/compile-filter.ts'
import { defaultSeccompProfile } from '../../../src/seccomp/default-profile.ts'
import { unknownCalls } from '../../../src/seccomp/unknown-calls.ts'
import { loadFilter, seccompData } from '../../support/bpf-interpreter.ts'

const AUDIT = { x86_64: 0xc000003e, aarch64: 0xc00000b7 }
const ALLOW = 0x7fff0000
const EPERM = 0x50001
const ENOSYS = 0x50000 + 38

function verdict(
  capabilities: readonly string[],
  call: string,
  args: readonly bigint[] = [],
  architecture: 'x86_64' | 'aarch64' = 'x86_64',
): number {
  const profile = defaultSeccompProfile({ capabilities, architecture })
  const filter = loadFilter(compileFilter(profile, architecture).program)
  const number = syscallNumber(architecture, call) ?? -1
  return filter(seccompData({ number, architecture: AUDIT[architecture], args })).verdict
}

describe('defaultSeccompProfile()', () => {
  it.each(['read', 'execve', 'futex', 'ptrace', 'cachestat', 'mseal', 'arch_prctl'])(
    'allows %s',
    (call) => expect(verdict([], call)).toBe(ALLOW),
  )

  it.each([
    'mount',
    'unshare',
    'setns',
    'bpf',
    'keyctl',
    'add_key',
    'io_uring_setup',
    'userfaultfd',
    'kexec_load',
  ])('denies %s', (call) => expect(verdict([], call)).toBe(EPERM))

  it.each([
    ['CAP_SYS_ADMIN', 'mount'],
    ['CAP_SYS_ADMIN', 'clone3'],
    ['CAP_SYS_CHROOT', 'chroot'],
    ['CAP_SYS_PTRACE', 'kcmp'],
    ['CAP_SYS_TIME', 'clock_settime'],
    ['CAP_BPF', 'bpf'],
    ['CAP_SYSLOG', 'syslog'],
    ['CAP_DAC_READ_SEARCH', 'open_by_handle_at'],
  ])('allows with %s also %s', (capability, call) => {
    expect(verdict([capability], call)).toBe(ALLOW)
    expect(verdict([], call)).not.toBe(ALLOW)
  })

  it('allows no new namespaces, and sends clone3 back to clone', () => {
    expect(verdict([], 'clone', [0x11n])).toBe(ALLOW)
    for (const flag of [0x2_0000n, 0x200_0000n, 0x1000_0000n, 0x4000_0000n])
      expect(verdict([], 'clone', [flag | 0x11n])).toBe(EPERM)
    expect(verdict([], 'clone3')).toBe(ENOSYS)
    expect(verdict(['CAP_SYS_ADMIN'], 'clone', [0x1000_0000n])).toBe(ALLOW)
  })

  it('allows sockets of all families but AF_ALG and AF_VSOCK', () => {
    const families = [0n, 2n, 16n, 37n, 38n, 39n, 40n, 41n, 44n]
    const denied = families.filter((family) => verdict([], 'socket', [family]) !== ALLOW)
    expect(denied).toEqual([38n, 40n])
  })

  it('allows five personalities', () => {
    const values = [0n, 1n, 8n, 0x2_0000n, 0x2_0008n, 0xffff_ffffn, 0x1_0000_0000n, 0x40_0000n]
    const denied = values.filter((value) => verdict([], 'personality', [value]) !== ALLOW)
    expect(denied).toEqual([1n, 0x1_0000_0000n, 0x40_0000n])
  })

  it.each(['x86_64', 'aarch64'] as const)('names only known calls on %s', (architecture) => {
    const profile = defaultSeccompProfile({ architecture, capabilities: ['CAP_SYS_ADMIN'] })
    expect(unknownCalls(profile)).toEqual([])
    expect(compileFilter(profile, architecture).warnings).toEqual([])
  })

  it('fits aarch64', () => {
    expect(verdict([], 'openat', [], 'aarch64')).toBe(ALLOW)
    expect(verdict([], 'mount', [], 'aarch64')).toBe(EPERM)
  })
})

describe('unknownCalls()', () => {
  it('finds names that no machine knows, once', () => {
    const rule = { names: ['read', 'raed', 'set_tls'], action: 'SCMP_ACT_KILL' }
    expect(unknownCalls({ defaultAction: '', syscalls: [rule, rule] })).toEqual(['raed'])
    expect(unknownCalls({ defaultAction: '' })).toEqual([])
  })
})
