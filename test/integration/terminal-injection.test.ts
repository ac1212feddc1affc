/** What images, configs and processes say of themselves, shown to a person: it must not steer the terminal. */
import { cpSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { TestEngine } from '../support/engine.ts'
import { Terminal } from '../support/pty.ts'
import { missing } from '../support/requires.ts'
import { makeRuntime, type Runtime } from '../support/runtime.ts'
import { type Bundle, makeBundle, withProcess } from '../support/runtime-bundle.ts'

/** Clears the screen, sets the title, hides what follows, and an 8-bit introducer. */
const EVIL = 'e\u001b[2J\u001b]0;title\u0007\u001b[8m\u009b31m\u202e'
const STEERS = /(?![\n\t])[\p{Cc}\p{Bidi_Control}]/u

describe.skipIf(missing('root', 'cgroup2', 'command:python3'))('a label or a command', () => {
  const engine = new TestEngine()

  beforeAll(async () => {
    await engine.loadBusybox()
    const flags = ['--name', 'evil', '--label', `${EVIL}=${EVIL}`]
    engine.succeed(['run', '-d', ...flags, 'busybox', 'sh', '-c', 'sleep 1000; :', EVIL])
  })
  afterAll(() => engine[Symbol.dispose]())

  it.each([
    [['ps', '--no-trunc']],
    [['ps', '--format', '{{.Labels}} {{.Command}}']],
    [['ps', '--format', 'json']],
    [['inspect', 'evil']],
    [['inspect', '--format', '{{.Config.Cmd}} {{.Config.Labels}}', 'evil']],
  ])('%j on a terminal shows it escaped', async (words) => {
    const terminal = new Terminal(engine.commandLine(words), 50, 4000)
    expect(await terminal.end()).toBe(0)
    expect(terminal.text).toContain('\\u001b[2J')
    expect(terminal.text.replaceAll('\r\n', '\n')).not.toMatch(STEERS)
  })

  it('goes to programs as it is', () => {
    expect(engine.succeed(['ps', '--format', '{{.Labels}}'])).toBe(`${EVIL}=${EVIL}`)
  })
})

describe.skipIf(missing('root'))('the runtime', () => {
  let bundle: Bundle
  let runtime: Runtime
  beforeEach(() => {
    bundle = makeBundle()
    runtime = makeRuntime()
  })
  afterEach(() => {
    runtime[Symbol.dispose]()
    bundle[Symbol.dispose]()
  })
  const ID = `inject-${process.pid}`

  it('list and ps show a bundle and arguments with control characters on one line each', () => {
    const evil = join(bundle.directory, `${EVIL}\n`)
    cpSync(bundle.rootfs, join(evil, 'rootfs'), { recursive: true, verbatimSymlinks: true })
    bundle.configure((config) =>
      withProcess(config, { args: ['sh', '-c', 'sleep 1000; :', `${EVIL}\nroot 1 0 ? forged`] }),
    )
    renameSync(join(bundle.directory, 'config.json'), join(evil, 'config.json'))
    runtime.succeed(['run', '--detach', '--bundle', evil, ID], { stdio: 'ignore' })
    const list = runtime.succeed(['list'])
    expect(list.trimEnd().split('\n')).toHaveLength(2)
    expect(list).not.toMatch(STEERS)
    const ps = runtime.succeed(['ps', ID])
    // The head, the shell and its sleep.
    expect(ps.trimEnd().split('\n')).toHaveLength(3)
    expect(ps).not.toMatch(STEERS)
  })

  it.each([
    ['a program', { args: [EVIL] }],
    ['a working directory', { args: ['true'], cwd: `/proc/${EVIL}` }],
    ['a user', { args: ['true'], user: { uid: 0, gid: 0, [EVIL]: EVIL } }],
  ])('%s in an error is escaped, on one line', (_, change) => {
    bundle.configure((config) => withProcess(config, change))
    const { stderr, log } = runtime.run(['run', '--bundle', bundle.directory, ID])
    expect(stderr.trimEnd()).not.toContain('\n')
    for (const text of [stderr, ...log]) expect(text.trimEnd()).not.toMatch(STEERS)
  })

  it('what a failed hook wrote is escaped, on one line', () => {
    const path = join(bundle.directory, 'hook')
    writeFileSync(
      path,
      `#!/bin/sh\nprintf '%s\\nlevel=info msg=forged\\n' '${EVIL}' >&2\nexit 3\n`,
      {
        mode: 0o755,
      },
    )
    bundle.configure((config) => ({
      ...withProcess(config, { args: ['true'] }),
      hooks: { createRuntime: [{ path }] },
    }))
    const { stderr, log } = runtime.run(['run', '--bundle', bundle.directory, ID])
    expect(stderr).toContain('error running createRuntime hook #0')
    expect(stderr.trimEnd()).not.toContain('\n')
    for (const text of [stderr, ...log]) expect(text.trimEnd()).not.toMatch(STEERS)
    expect(log).toHaveLength(1)
  })

  it('what criu wrote into its log is escaped, on one line', () => {
    const criu = join(bundle.directory, 'criu')
    const images = join(bundle.directory, 'images')
    writeFileSync(
      criu,
      `#!/bin/sh\nprintf 'Error (x.c:1): %s\\n' '${EVIL}' >'${images}/dump.log'\nexit 1\n`,
      { mode: 0o755 },
    )
    bundle.configure((config) => withProcess(config, { args: ['sleep', '1000'] }))
    runtime.succeed(['run', '--detach', '--bundle', bundle.directory, ID], { stdio: 'ignore' })
    const flags = ['--criu', criu, 'checkpoint', '--image-path', images, ID]
    const { status, stderr, log } = runtime.run(flags)
    expect(status).toBe(1)
    for (const text of [stderr, ...log]) expect(text.trimEnd()).not.toMatch(STEERS)
  })
})
