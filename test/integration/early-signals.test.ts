/** Signals to a foreground command that has no program yet: one that ends it leaves nothing, others wait. */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { detectCgroups } from '../../src/cgroup/detect.ts'
import { TestEngine } from '../support/engine.ts'
import { startFakeRegistry } from '../support/fake-registry.ts'
import { makeImage } from '../support/make-image.ts'
import { missing } from '../support/requires.ts'
import { makeRuntime, type Runtime } from '../support/runtime.ts'
import { type Bundle, makeBundle } from '../support/runtime-bundle.ts'
import { uniqueId } from '../support/unique-id.ts'
import { until } from '../support/until.ts'

const ID = uniqueId('early')
const ROUNDS = 8

async function endOf(child: ChildProcess): Promise<{ status: unknown; signal: unknown }> {
  const [status, signal] = await once(child, 'exit')
  return { status, signal }
}

// runc keeps them for a program that may not be there yet, crun ends and leaves what it has made: no oracle.
describe.skipIf(missing('root', 'cgroup2'))('the runtime', () => {
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

  /** A run whose createRuntime hook has written its pid, and waits until `go` is there. */
  const runWithHook = async (): Promise<{ child: ChildProcess; hook: string; go: string }> => {
    const file = (base: string): string => join(bundle.directory, base)
    const script = `echo $$ >${file('new')}; mv ${file('new')} ${file('hook')}; until [ -e ${file('go')} ]; do sleep 0.05; done`
    bundle.configure((config) => ({
      ...config,
      process: { ...config.process, cwd: '/', args: ['sleep', '1000'] },
      hooks: {
        createRuntime: [
          { path: '/bin/sh', args: ['sh', '-c', script], env: [`PATH=${process.env.PATH}`] },
        ],
        poststop: [{ path: '/bin/sh', args: ['sh', '-c', `: >${file('poststop')}`] }],
      },
      // A first process of a pid namespace is spared what it does not handle (pid_namespaces(7)).
      linux: {
        ...config.linux,
        namespaces: (config.linux?.namespaces ?? []).filter(({ type }) => type !== 'pid'),
      },
    }))
    const child = runtime.start(['run', '--bundle', bundle.directory, ID])
    await until('the hook runs', () => existsSync(file('hook')))
    return { child, hook: readFileSync(file('hook'), 'utf8').trim(), go: file('go') }
  }

  it('run passes a signal on that came while hooks ran', async () => {
    const { child, go } = await runWithHook()
    child.kill('SIGUSR2')
    writeFileSync(go, '')
    expect(await endOf(child)).toEqual({ status: 128 + 12, signal: null })
  })

  it('run ends while hooks run, and the hook with it', async () => {
    const { child, hook } = await runWithHook()
    child.kill('SIGTERM')
    expect(await endOf(child)).toEqual({ status: null, signal: 'SIGTERM' })
    expect(existsSync(`/proc/${hook}`)).toBe(false)
    expect(existsSync(join(bundle.directory, 'poststop'))).toBe(true)
    expect(readdirSync(runtime.root)).toEqual([])
    expect(existsSync(join(detectCgroups()?.mountPoint ?? '', 'tsrun', ID))).toBe(false)
  })
})

describe.skipIf(missing('root', 'cgroup2'))('the engine', () => {
  const engine = new TestEngine()
  beforeAll(() => engine.loadBusybox())
  afterEach(async () => expect(await engine.settled()).toEqual([]))
  afterAll(() => engine[Symbol.dispose]())

  it('run ends while it pulls', async () => {
    await using registry = await startFakeRegistry(makeImage([]), () => true)
    const child = engine.start(['run', '--rm', `${registry.host}/app`], { stdio: 'ignore' })
    await until('it asks the registry', () => registry.requests.length > 0)
    child.kill('SIGINT')
    expect(await endOf(child)).toEqual({ status: null, signal: 'SIGINT' })
  })

  const TRAP = 'trap "exit 42" TERM; echo ready; while :; do sleep 0.05; done'

  it('run in the foreground leaves nothing, at whatever moment a signal comes', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const child = engine.start(['run', '--rm', 'busybox', 'sh', '-c', TRAP])
      const end = endOf(child)
      // Whoever came too late to stop it meets a program that may have had no trap yet.
      child.stdout?.once('data', () => child.kill('SIGTERM'))
      await untilMade(round)
      child.kill('SIGTERM')
      expect([
        { status: null, signal: 'SIGTERM' },
        { status: 42, signal: null },
      ]).toContainEqual(await end)
      // Without another command, which would remove what is left.
      expect(await engine.settled()).toEqual([])
    }
  })

  it('run --detach leaves nothing or a container, at whatever moment a signal comes', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const child = engine.start(['run', '--rm', '--detach', 'busybox', 'sleep', '1000'])
      let id = ''
      child.stdout?.on('data', (chunk) => {
        id += chunk
      })
      const closed = once(child, 'close')
      await untilMade(round)
      child.kill('SIGTERM')
      await closed
      if (id !== '') engine.succeed(['rm', '--force', id.trim()])
      expect(await engine.settled()).toEqual([])
    }
  })

  /** Resolves as soon as a container begins to be there, and a little later with each round. */
  async function untilMade(round: number): Promise<void> {
    const folder = join(engine.dataRoot, 'containers')
    while (!existsSync(folder) || readdirSync(folder).length === 0)
      await new Promise((resolve) => setImmediate(resolve))
    await new Promise((resolve) => setTimeout(resolve, round))
  }

  it('exec ends before its program, or passes the signal on', async () => {
    const id = engine.succeed(['run', '-d', 'busybox', 'sleep', '1000'])
    for (let round = 0; round < ROUNDS; round++) {
      const child = engine.start(['exec', id, 'sh', '-c', 'echo ready; exec sleep 1000'])
      const end = endOf(child)
      child.stdout?.once('data', () => child.kill('SIGTERM'))
      await new Promise((resolve) => setTimeout(resolve, 60 + 10 * round))
      child.kill('SIGTERM')
      expect([
        { status: null, signal: 'SIGTERM' },
        { status: 143, signal: null },
      ]).toContainEqual(await end)
    }
    engine.succeed(['rm', '-f', id])
  })
})
