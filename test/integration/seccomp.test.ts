/** The engine's default confinement as a process inside sees it: seccomp, capabilities, no_new_privs, privileged. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { TestEngine } from '../support/engine.ts'
import { missing } from '../support/requires.ts'

const STATUS = ['grep', '-E', '^(Seccomp|CapBnd|CapEff|NoNewPrivs):', '/proc/self/status']

describe.skipIf(missing('root', 'cgroup2'))('the default confinement', () => {
  let engine: TestEngine

  beforeAll(async () => {
    engine = new TestEngine()
    await engine.loadBusybox()
  })
  afterAll(() => engine[Symbol.dispose]())
  const run = (flags: readonly string[], ...command: readonly string[]) =>
    engine.run(['run', '--rm', ...flags, 'busybox', ...command])

  it('run() filters system calls and keeps the capabilities of docker', () => {
    const { stdout } = run([], ...STATUS)
    expect(stdout).toContain('Seccomp:\t2')
    expect(stdout).toContain('CapBnd:\t00000000a80425fb')
    expect(stdout).toContain('CapEff:\t00000000a80425fb')
  })

  it.each([
    ['mount', ['mount', '-t', 'tmpfs', 't', '/tmp']],
    ['unshare', ['unshare', '-U', 'true']],
    ['unshare of the mount namespace', ['unshare', '-m', 'true']],
    ['sethostname', ['hostname', 'x']],
    ['chroot of another process by setns', ['nsenter', '-t', '1', '-m', 'true']],
  ])('run() refuses %s', (_name, command) => {
    const result = run([], ...command)
    expect(result.status).not.toBe(0)
    expect(result.stderr).toMatch(/not permitted|denied/i)
  })

  it('run() with --cap-add SYS_ADMIN allows mount, and with unconfined alone not', () => {
    const mount = ['mount', '-t', 'tmpfs', 't', '/tmp']
    expect(run(['--cap-add', 'SYS_ADMIN'], ...mount).status).toBe(0)
    expect(run(['--security-opt', 'seccomp=unconfined'], ...mount).status).not.toBe(0)
  })

  it('run() with --cap-drop ALL and no-new-privileges leaves nothing', () => {
    const flags = ['--cap-drop', 'ALL', '--security-opt', 'no-new-privileges']
    const { stdout } = run(flags, ...STATUS)
    expect(stdout).toContain('CapBnd:\t0000000000000000')
    expect(stdout).toContain('CapEff:\t0000000000000000')
    expect(stdout).toContain('NoNewPrivs:\t1')
  })

  it('run() as another user has no effective capability', () => {
    expect(run(['--user', '1000'], ...STATUS).stdout).toContain('CapEff:\t0000000000000000')
  })

  it('run() with --privileged filters nothing', () => {
    expect(run(['--privileged'], ...STATUS).stdout).toContain('Seccomp:\t0')
  })

  it('run() gives no way to read a disk of the host or to write a kernel setting', () => {
    const read = 'mknod /d b 254 0 && dd if=/d of=/dev/null bs=512 count=1'
    expect(run([], 'sh', '-c', read).status).not.toBe(0)
    expect(run([], 'sh', '-c', 'echo 1 >/proc/sys/kernel/panic').status).not.toBe(0)
  })
})
