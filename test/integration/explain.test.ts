/** `explain`: what a user reads before anything runs, and what they are told when it cannot be read. */
import { spawnSync } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { TestEngine } from '../support/engine.ts'
import { missing } from '../support/requires.ts'
import { TSRUN } from '../support/runtime.ts'
import { type Bundle, makeBundle } from '../support/runtime-bundle.ts'

describe.skipIf(missing('root'))('tsrun explain', () => {
  const engine = new TestEngine()
  let bundle: Bundle
  beforeAll(async () => {
    bundle = makeBundle()
    await engine.loadBusybox()
  })
  afterAll(() => {
    bundle[Symbol.dispose]()
    engine[Symbol.dispose]()
  })

  const filtered = (...names: readonly string[]): void =>
    bundle.configure((config) => ({
      ...config,
      linux: {
        ...config.linux,
        seccomp: {
          defaultAction: 'SCMP_ACT_ALLOW',
          syscalls: [{ names, action: 'SCMP_ACT_ERRNO', errnoRet: 1 }],
        },
      },
    }))

  it('prints the plan of a bundle, with either command line', () => {
    bundle.configure()
    const { stdout, stderr, status } = engine.run(['explain', '--bundle', bundle.directory])
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(stdout).toContain('fsopen("proc"')
    expect(stdout).not.toContain('seccomp')
    const runtime = spawnSync(TSRUN, ['oci', 'explain', '--bundle', bundle.directory])
    expect(runtime.stdout.toString()).toContain('fsopen("proc"')
  })

  it('says in one sentence that there is no bundle', () => {
    const { stdout, stderr, status } = engine.run(['explain', '--bundle', '/missing'])
    expect({ stdout, status }).toEqual({ stdout: '', status: 125 })
    expect(stderr).toBe(
      'tsrun: cannot explain the bundle "/missing": it has no config.json; hint: give the folder that holds a config.json; tsrun spec writes one\n',
    )
  })

  it('lists the seccomp filter with --seccomp, below the plan', () => {
    filtered('mount')
    for (const command of [['explain'], ['oci', 'explain']]) {
      const args = [...command, '--seccomp', '--bundle', bundle.directory]
      const { stdout } = spawnSync(TSRUN, args, { encoding: 'utf8' })
      const [plan = '', filter = ''] = stdout.split('\n# seccomp filter, ')
      expect(plan).toContain('seccomp(')
      expect(filter).toMatch(/^\d+ instructions\n {3}0 {2}load arch\n/)
      expect(filter).toContain('(mount)')
      expect(filter).toContain('return SCMP_ACT_ERRNO(1)')
    }
  })

  it('lists the default filter of a run', () => {
    const text = engine.succeed(['explain', '--seccomp', 'run', 'busybox', 'true'])
    expect(text).toContain('\n# seccomp filter, ')
    expect(text).toContain('return SCMP_ACT_ALLOW')
    const without = engine.succeed(
      ['explain', '--seccomp', 'run', '--security-opt', 'seccomp=unconfined'].concat('busybox'),
    )
    expect(without).toContain('\n# no seccomp filter')
  })

  it('says on top what has no effect', () => {
    filtered('mount', 'muont')
    const text = engine.succeed(['explain', '--bundle', bundle.directory])
    expect(text.split('\n')[0]).toBe(
      '# warning: linux.seccomp.syscalls: no system call is named "muont"',
    )
  })
})
