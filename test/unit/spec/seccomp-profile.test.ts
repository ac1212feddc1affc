import { describe, expect, it } from 'vitest'
import { parseSeccompProfile } from '../../../src/spec/seccomp-profile.ts'

const FACTS = {
  architecture: 'x86_64',
  capabilities: ['CAP_SYS_ADMIN'],
  kernelRelease: '6.1.0-18',
} as const
const parse = (value: unknown) => parseSeccompProfile(JSON.stringify(value), 'p.json', FACTS)
const rule = (name: string, more: object = {}) => ({
  names: [name],
  action: 'SCMP_ACT_ALLOW',
  ...more,
})

describe('parseSeccompProfile()', () => {
  it('takes a profile in the OCI form as it is', () => {
    const profile = {
      defaultAction: 'SCMP_ACT_ERRNO',
      defaultErrnoRet: 1,
      architectures: ['SCMP_ARCH_X86_64'],
      syscalls: [rule('read')],
    }
    expect(parse(profile)).toEqual(profile)
  })

  it('resolves the architectures and filters of the form of docker', () => {
    const profile = parse({
      defaultAction: 'SCMP_ACT_ERRNO',
      archMap: [
        { architecture: 'SCMP_ARCH_AARCH64', subArchitectures: ['SCMP_ARCH_ARM'] },
        { architecture: 'SCMP_ARCH_X86_64', subArchitectures: ['SCMP_ARCH_X86', 'SCMP_ARCH_X32'] },
      ],
      syscalls: [
        rule('always', { args: [], comment: 'x', includes: {}, excludes: {} }),
        rule('for-admin', { includes: { caps: ['CAP_SYS_ADMIN'] } }),
        rule('for-boot', { includes: { caps: ['CAP_SYS_BOOT'] } }),
        rule('not-admin', { excludes: { caps: ['CAP_SYS_ADMIN'] } }),
        rule('for-arm', { includes: { arches: ['arm64'] } }),
        rule('for-amd', { includes: { arches: ['amd64', 'x32'] } }),
        rule('new', { includes: { minKernel: '6.1' } }),
        rule('newer', { includes: { minKernel: '6.2' } }),
        { name: 'old-form', action: 'SCMP_ACT_ALLOW' },
      ],
    })
    expect(profile.architectures).toEqual(['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'])
    expect(profile.syscalls?.map(({ names }) => names[0])).toEqual([
      'always',
      'for-admin',
      'for-amd',
      'new',
      'old-form',
    ])
    expect(profile.syscalls?.[0]).toEqual(rule('always'))
  })

  it.each([
    ['{', 'it is not JSON'],
    ['[]', 'it is not a JSON object'],
    ['null', 'it is not a JSON object'],
    ['{}', '/defaultAction is required'],
    ['{"defaultAction":"ALLOW"}', '/defaultAction must be one of'],
    ['{"defaultAction":"SCMP_ACT_ALLOW","syscalls":{}}', '/syscalls must be an array'],
    [
      '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"action":"SCMP_ACT_LOG"}]}',
      '/syscalls/0/names is required',
    ],
    ['{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[null]}', '/syscalls/0 must not be null'],
    ['{"defaultAction":"SCMP_ACT_ALLOW","archMap":[{}]}', '/archMap/0/architecture is required'],
  ])('refuses %j', (text, reason) => {
    expect(() => parseSeccompProfile(text, 'p.json', FACTS)).toThrow(
      `cannot use seccomp profile "p.json": ${reason}`,
    )
  })
})
