/** System calls that reach deep into the kernel, refused by the default seccomp profile whatever ABI they come by. */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { TestEngine } from '../support/engine.ts'
import { missing } from '../support/requires.ts'

/** Without privileges of their own, so that it is the filter which refuses them. */
const FREE = ['add_key', 'io_uring_setup', 'keyctl', 'request_key', 'setns', 'userfaultfd']

describe.skipIf(missing('root', 'cgroup2', 'command:gcc'))('the default seccomp profile', () => {
  const engine = new TestEngine()
  const probe = join(engine.directory, 'refused-calls')

  beforeAll(async () => {
    const source = join(import.meta.dirname, '../support/refused-calls.c')
    execFileSync('gcc', ['-static', '-O2', '-Wall', '-Werror', '-o', probe, source])
    await engine.loadBusybox()
  })
  afterAll(() => engine[Symbol.dispose]())

  /** `<abi> <call>` → errno. */
  const errnos = (...flags: readonly string[]): ReadonlyMap<string, string> => {
    const words = ['run', '--rm', ...flags, '-v', `${probe}:/probe:ro`, 'busybox', '/probe']
    const lines = engine.succeed(words).split('\n')
    return new Map(
      lines.map((line) => {
        const at = line.lastIndexOf(' ')
        return [line.slice(0, at), line.slice(at + 1)]
      }),
    )
  }

  it('refuses them, natively, as i386 and as x32', () => {
    const seen = errnos()
    // A third less where the kernel has no i386.
    expect(seen.size).toBeGreaterThan(seen.has('i386 mount') ? 60 : 40)
    // clone3 is hidden: its flags are behind a pointer, and programs fall back to clone(2).
    for (const [call, errno] of seen)
      expect([call, errno]).toEqual([call, call.endsWith(' clone3') ? 'ENOSYS' : 'EPERM'])
  })

  it('keeps them from root of a container with every capability but SYS_ADMIN, too', () => {
    const seen = errnos('--cap-add', 'ALL', '--cap-drop', 'SYS_ADMIN')
    for (const name of ['add_key', 'io_uring_setup', 'keyctl', 'request_key', 'userfaultfd'])
      expect([name, seen.get(`native ${name}`)]).toEqual([name, 'EPERM'])
  })

  it('is what refuses them: without it the kernel looks at their arguments', () => {
    const seen = errnos('--security-opt', 'seccomp=unconfined')
    for (const name of FREE) expect([name, seen.get(`native ${name}`)]).not.toEqual([name, 'EPERM'])
    expect(errnos('--privileged').get('native bpf')).not.toBe('EPERM')
  })
})
