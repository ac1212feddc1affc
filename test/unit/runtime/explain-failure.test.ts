import { describe, expect, it } from 'vitest'
import { errnoNumber } from '../../../src/linux/errno.ts'
import { defaultRuntimeConfig } from '../../../src/oci/default-config.ts'
import { PlanBuilder } from '../../../src/plan/plan-builder.ts'
import { PC_REFUSED } from '../../../src/plan/wire-format.ts'
import { explainFailure } from '../../../src/runtime/explain-failure.ts'

const ENOENT = 2
const EPERM = 1
const EACCES = 13
const ENOEXEC = 8
const config = defaultRuntimeConfig()

/** The failure of one instruction with this origin. */
function explain(origin: string, errno: number, emit: (b: PlanBuilder) => void, args = ['sh']) {
  const b = new PlanBuilder('x86_64')
  b.at(origin, () => emit(b))
  return explainFailure(b.finish(), config, args, 0, errno)
}

const lookup = (b: PlanBuilder): void => b.fail(ENOENT, 'executable lookup')
const exec = (b: PlanBuilder): void => b.run('execve', [0, 0, 0], { note: '/bin/x' })

describe('explainFailure()', () => {
  it('says where in config.json, which call, and what the errno means', () => {
    const error = explain('/mounts/0', EPERM, (b) => b.run('fsmount', [0, 0, 0], { note: 'proc' }))
    expect(error.message).toBe(
      'error mounting mounts[0] (/proc): fsmount proc: EPERM (operation not permitted)',
    )
    expect(error).toMatchObject({ kind: 'permission-denied', errno: 'EPERM', origin: '/mounts/0' })
  })

  it.each([
    ['/linux/namespaces/1', 'linux.namespaces[1] (network): close: '],
    ['/linux/maskedPaths/2', 'linux.maskedPaths[2] (/proc/kcore): close: '],
    ['/process/cwd', 'process.cwd (/): close: '],
    ['/mounts/99', 'mounts[99]: close: '],
    ['/linux/sysctl/net~1x', 'linux.sysctl.net/x: close: '],
    ['launcher', 'launcher: close: '],
  ])('shows the origin %s as %s', (origin, text) => {
    expect(explain(origin, EPERM, (b) => b.run('close', [0])).message).toContain(text)
  })

  // podman, containerd and dockerd match these words.
  it.each([
    ['nope', ENOENT, 'exec: "nope": executable file not found in $PATH', 127],
    ['/nope', ENOENT, 'exec: "/nope": stat /nope: no such file or directory', 127],
    ['/file', EACCES, 'exec: "/file": permission denied', 126],
  ])('has runc’s words for %s', (name, errno, text, exitCode) => {
    const error = explain('/process/args/0', errno, lookup, [name])
    expect(error.message).toBe(`unable to start container process: ${text}`)
    expect(error.exitCode).toBe(exitCode)
  })

  it('explains a missing interpreter and a wrong format', () => {
    expect(explain('/process/args/0', ENOENT, exec, ['/bin/x']).hint).toMatch(/interpreter/)
    expect(explain('/process/args/0', ENOEXEC, exec, ['/bin/x'])).toMatchObject({
      message: expect.stringContaining('exec format error'),
      hint: expect.stringContaining('another architecture'),
    })
  })

  it.each([
    ['capset', '/process/capabilities', 'CapPrm'],
    ['mknodat', 'default devices', 'device filter of a cgroup above'],
  ] as const)('tells why %s may not be allowed', (call, origin, hint) => {
    expect(explain(origin, EPERM, (b) => b.run(call, [0, 0, 0])).hint).toContain(hint)
  })

  it.each([
    ['/process/user/uid', 'setresuid', 'EINVAL', 'linux.uidMappings'],
    ['/process/user/additionalGids', 'setgroups', 'EINVAL', 'linux.gidMappings'],
    ['/process/terminal', 'sendmsg', 'EPIPE', 'console socket is gone'],
    ['/process/terminal', 'openat2', 'ENOENT', 'mount one on /dev/pts'],
    ['/mounts/0', 'fsopen', 'ENOSYS', 'the kernel does not have this system call'],
    ['/process/apparmorProfile', 'write', 'ENOENT', 'apparmor_parser -r'],
    ['/process/selinuxLabel', 'write', 'EINVAL', 'no such context'],
  ])('advises for %s: %s %s', (origin, call, code, text) => {
    const error = explain(origin, errnoNumber(code) ?? 0, (b) => b.run(call, [0]))
    expect(error.hint).toContain(text)
  })

  it('tells a refused plan from a failed one', () => {
    const b = new PlanBuilder('x86_64')
    expect(explainFailure(b.finish(), config, [], PC_REFUSED, 3).message).toContain('bad opcode')
  })
})
