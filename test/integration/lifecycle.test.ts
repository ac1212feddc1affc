/** create, start, state, kill, delete and run as callers of runc see them; peers run the same cases. */
import { closeSync, existsSync, openSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { installedRuntimes, makeRuntime, type Runtime } from '../support/runtime.ts'
import {
  type Bundle,
  makeBundle,
  withoutNamespace,
  withProcess,
} from '../support/runtime-bundle.ts'
import { uniqueId } from '../support/unique-id.ts'

const BEFORE = uniqueId('before')
const CAPABILITIES = uniqueId('capabilities')
const CODE = uniqueId('code')
const ENDED = uniqueId('ended')
const GATE = uniqueId('gate')
const LISTED = uniqueId('listed')
const MISSING = uniqueId('missing')
const OPEN = uniqueId('open')
const ORPHAN = uniqueId('orphan')
const RUNNING = uniqueId('running')
const SIGNALS = uniqueId('signals')
const STDIO = uniqueId('stdio')
const TAKEN = uniqueId('taken')
const TWICE = uniqueId('twice')

describe.each(installedRuntimes())('%s', (name) => {
  let bundle: Bundle
  let runtime: Runtime

  beforeAll(() => {
    bundle = makeBundle()
    runtime = makeRuntime(name)
  })
  afterAll(() => {
    runtime[Symbol.dispose]()
    bundle[Symbol.dispose]()
  })
  const create = (id: string): void => createIn(runtime, bundle, id)
  // The texts that callers match are runc's; crun has its own.
  const expectText = (text: string | undefined, pattern: RegExp): void => {
    if (name !== 'crun') expect(text).toMatch(pattern)
  }

  it('create() waits at the start gate, and the pid file is digits alone [runtime.md#lifecycle/3] [runtime.md#create/3] [runtime.md#create/5]', () => {
    bundle.command('echo', 'hello')
    const pidFile = join(bundle.directory, 'pid')
    createIn(runtime, bundle, GATE, ['--pid-file', pidFile])
    const state = runtime.state(GATE)
    expect(state).toMatchObject({ id: GATE, status: 'created', bundle: bundle.directory })
    expect(readFileSync(pidFile, 'utf8')).toBe(String(state.pid))
    runtime.succeed(['delete', GATE])
    expectText(runtime.run(['state', GATE]).stderr, /does not exist/)
  })

  it('start() runs the process with the standard streams of create [runtime.md#lifecycle/13] [runtime.md#start/3]', async () => {
    bundle.command('sh', '-c', 'echo out; echo err >&2')
    const path = join(bundle.directory, 'output')
    const output = openSync(path, 'w')
    runtime.succeed(['create', '--bundle', bundle.directory, STDIO], {
      stdio: ['ignore', output, output],
    })
    closeSync(output)
    runtime.succeed(['start', STDIO])
    await runtime.waitFor(STDIO, 'stopped')
    expect(readFileSync(path, 'utf8')).toBe('out\nerr\n')
    expect(runtime.state(STDIO).pid).toBe(0)
    runtime.succeed(['delete', STDIO])
  })

  // runc 1.1 and crun 1.8 leave them, or say that the container does not run.
  it.skipIf(name !== 'tsrun')(
    'kill() ends what outlived init in a shared pid namespace',
    async () => {
      bundle.configure((config) =>
        withoutNamespace(withProcess(config, { args: ['sleep', '1000'] }), 'pid'),
      )
      create(ORPHAN)
      runtime.succeed(['start', ORPHAN])
      const flags = ['exec', '--detach', '--pid-file', join(bundle.directory, 'orphan.pid')]
      runtime.succeed([...flags, ORPHAN, 'sleep', '1000'], { stdio: 'ignore' })
      const left = Number(readFileSync(join(bundle.directory, 'orphan.pid'), 'utf8'))
      process.kill(Number(runtime.state(ORPHAN).pid), 'SIGKILL')
      runtime.succeed(['kill', ORPHAN, 'KILL'])
      await untilDead(left)
      expect(runtime.run(['kill', ORPHAN, 'KILL']).stderr).toContain('container not running')
      runtime.succeed(['delete', ORPHAN])
    },
  )

  // crun waits in a process that the kernel keeps such signals from.
  it.skipIf(name === 'crun').each(['TERM', 'INT', 'HUP', 'QUIT'])(
    'kill() ends a container that was not started with %s',
    async (signal) => {
      bundle.command('true')
      create(ENDED)
      runtime.succeed(['kill', ENDED, signal])
      await runtime.waitFor(ENDED, 'stopped')
      runtime.succeed(['delete', ENDED])
    },
  )

  it.skipIf(name !== 'tsrun')('create() leaves init with no file or directory open', () => {
    bundle.command('true')
    create(OPEN)
    const directory = `/proc/${runtime.state(OPEN).pid}/fd`
    const targets = readdirSync(directory)
      .filter((fd) => Number(fd) > 2)
      .map((fd) => readlinkSync(join(directory, fd)).replace(/:.*/, ''))
    expect(new Set(targets)).toEqual(new Set(['socket', 'anon_inode']))
    runtime.succeed(['delete', OPEN])
  })

  it('start() leaves no signal blocked', async () => {
    bundle.command('sh', '-c', 'grep -E "^(SigBlk|ShdPnd)" /proc/self/status')
    const path = join(bundle.directory, 'signals')
    const output = openSync(path, 'w')
    runtime.succeed(['create', '--bundle', bundle.directory, BEFORE], {
      stdio: ['ignore', output, output],
    })
    closeSync(output)
    runtime.succeed(['start', BEFORE])
    await runtime.waitFor(BEFORE, 'stopped')
    expect(readFileSync(path, 'utf8').replace(/\s+/g, '')).toMatch(/^ShdPnd:0+SigBlk:0+$/)
    runtime.succeed(['delete', BEFORE])
  })

  it('start() refuses a container that was started [runtime.md#start/2]', async () => {
    bundle.command('sleep', '1000')
    create(TWICE)
    runtime.succeed(['start', TWICE])
    const again = runtime.run(['start', TWICE])
    expect(again.status).toBe(1)
    expectText(again.stderr, /already running|cannot start/)
    runtime.succeed(['kill', TWICE, 'KILL'])
    await runtime.waitFor(TWICE, 'stopped')
    expect(runtime.run(['start', TWICE]).status).toBe(1)
    runtime.succeed(['delete', TWICE])
  })

  it('kill() takes numbers and names, and says so when the container is not running', async () => {
    bundle.command('sh', '-c', 'trap "exit 7" USR1; while :; do sleep 0.01; done')
    create(SIGNALS)
    runtime.succeed(['start', SIGNALS])
    runtime.succeed(['kill', SIGNALS, '0'])
    runtime.succeed(['kill', SIGNALS, '9'])
    await runtime.waitFor(SIGNALS, 'stopped')
    const late = runtime.run(['kill', SIGNALS, 'SIGTERM'])
    expect(late.status).toBe(1)
    expectText(late.stderr, /not running/)
    runtime.succeed(['delete', SIGNALS])
  })

  it('delete() refuses a running container without --force [runtime.md#delete/2]', () => {
    bundle.command('sleep', '1000')
    create(RUNNING)
    runtime.succeed(['start', RUNNING])
    const refused = runtime.run(['delete', RUNNING])
    expect(refused.status).toBe(1)
    expectText(refused.stderr, /running|not stopped/)
    runtime.succeed(['delete', '--force', RUNNING])
  })

  it('delete() --force of an unknown id succeeds, without --force it does not', () => {
    expect(runtime.run(['delete', '--force', 'unknown'])).toMatchObject({ status: 0, stderr: '' })
    const refused = runtime.run(['delete', 'unknown'])
    expect(refused.status).toBe(1)
    expectText(refused.stderr, /does not exist/)
  })

  it('run() without process.capabilities gives none at all', () => {
    bundle.configure((config) => {
      const { capabilities: _none, ...process } = withProcess(config, {
        args: ['grep', '^Cap', '/proc/self/status'],
      }).process ?? { cwd: '/' }
      return { ...config, process }
    })
    const output = runtime.succeed(['run', '--bundle', bundle.directory, CAPABILITIES])
    expect(output.match(/\b0{16}\b/g)).toHaveLength(5)
  })

  it('create() refuses a taken id [runtime.md#state/3] [runtime.md#create/2]', () => {
    bundle.command('true')
    create(TAKEN)
    const again = runtime.run(['create', '--bundle', bundle.directory, TAKEN])
    expect(again.status).toBe(1)
    expectText(again.stderr, /exists/)
    expect(runtime.state(TAKEN).status).toBe('created')
    runtime.succeed(['delete', '--force', TAKEN])
  })

  it('create() fails for a missing program and leaves nothing [runtime.md#query-state/2] [runtime.md#create/6] [runtime.md#lifecycle/2]', () => {
    bundle.command('/nonexistent')
    const result = runtime.run(['create', '--bundle', bundle.directory, MISSING])
    expect(result.status).toBe(1)
    expectText(result.log.at(-1), /no such file or directory|executable file/)
    expect(runtime.run(['state', MISSING]).status).toBe(1)
  })

  it.each([
    ['exit 7', 7],
    ['kill -9 $$', 137],
    ['true', 0],
  ])('run() ends as %j does: %i', (script, expected) => {
    bundle.command('sh', '-c', `${script}`)
    // Process 1 of a pid namespace cannot be killed from inside.
    bundle.configure((config) =>
      withoutNamespace(withProcess(config, { args: ['sh', '-c', script] }), 'pid'),
    )
    const result = runtime.run(['run', '--bundle', bundle.directory, CODE])
    expect(result.status).toBe(expected)
    expect(runtime.run(['state', CODE]).status).toBe(1)
  })

  it('list() has tables, JSON and ids', () => {
    bundle.command('true')
    create(LISTED)
    const [head, line] = runtime.succeed(['list']).split('\n')
    expect(head).toMatch(/^(ID|NAME)\s+PID\s+STATUS\s+BUNDLE/)
    expect(line).toMatch(new RegExp(`^${LISTED}\\s+\\d+\\s+created\\s`))
    expect(runtime.succeed(['list', '-q'])).toBe(`${LISTED}\n`)
    expect(JSON.parse(runtime.succeed(['list', '--format', 'json']))).toMatchObject([
      { id: LISTED, status: 'created' },
    ])
    runtime.succeed(['delete', '--force', LISTED])
  })
})

/** A process whose parent does not wait for it is dead too. */
async function untilDead(pid: number): Promise<void> {
  while (existsSync(`/proc/${pid}`) && !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8')))
    await new Promise((resolve) => setTimeout(resolve, 10))
}

function createIn(
  runtime: Runtime,
  bundle: Bundle,
  id: string,
  flags: readonly string[] = [],
): void {
  // As callers do: whatever stdout is, the container keeps it, so it must not be a pipe of the test.
  runtime.succeed(['create', ...flags, '--bundle', bundle.directory, id], {
    stdio: ['ignore', 'ignore', 'ignore'],
  })
}
