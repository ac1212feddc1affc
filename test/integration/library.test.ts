/** tsrun as a library in this process. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type ContainerOptions, run, start, TsrunError } from '../../src/index.ts'
import { TestEngine } from '../support/engine.ts'
import { missing } from '../support/requires.ts'
import { TSRUN } from '../support/runtime.ts'
import { until } from '../support/until.ts'

describe.skipIf(missing('root', 'cgroup2'))('the library', () => {
  const engine = new TestEngine()
  const options = (args: string[], more: Partial<ContainerOptions> = {}): ContainerOptions => ({
    image: 'busybox',
    pull: 'never',
    args,
    dataRoot: engine.dataRoot,
    stateRoot: engine.stateRoot,
    ...more,
  })
  beforeAll(() => engine.loadBusybox())
  afterEach(async () => expect(await engine.settled()).toEqual([]))
  afterAll(() => engine[Symbol.dispose]())

  it('run() resolves to the output and the exit code', async () => {
    expect(await run(options(['sh', '-c', 'echo out; echo err >&2; exit 3']))).toEqual({
      exitCode: 3,
      signal: undefined,
      limitsReached: [],
      stdout: 'out\n',
      stderr: 'err\n',
    })
  })

  it('run() names the signal that ended the container', async () => {
    const result = await run(options(['sh', '-c', 'kill -9 $$'], { init: true }))
    expect(result).toMatchObject({ exitCode: 137 })
  })

  it('run() takes environment, directory, user, mounts and input', async () => {
    const folder = join(engine.directory, 'a,b')
    mkdirSync(folder)
    writeFileSync(join(folder, 'f'), 'file')
    const { stdout } = await run(
      options(['sh', '-c', 'echo $A; pwd; id -u; cat /m/f; cat'], {
        env: { A: 'one' },
        cwd: '/tmp',
        user: '5',
        mounts: [{ type: 'bind', source: folder, target: '/m', readOnly: true }],
        stdin: { text: '!' },
      }),
    )
    expect(stdout).toBe('one\n/tmp\n5\nfile!')
  })

  it('run() reads a stream', async () => {
    const stdin = Readable.from(['a', 'b', 'c'].map((text) => Buffer.from(text)))
    expect((await run(options(['cat'], { stdin }))).stdout).toBe('abc')
  })

  it('start() gives streams, exec() and stop()', async () => {
    await using container = await start(options(['cat'], { stdin: 'pipe' }))
    container.stdin?.write('hello\n')
    for await (const chunk of container.stdout) {
      expect(String(chunk)).toBe('hello\n')
      break
    }
    expect(
      await container.exec(['sh', '-c', 'cat /proc/1/comm; cat; exit 4'], { stdin: 'x' }),
    ).toEqual({
      exitCode: 4,
      signal: undefined,
      stdout: 'cat\nx',
      stderr: '',
    })
    expect(engine.succeed(['ps', '--format', '{{.State}}'])).toBe('running')
    expect(await container.stop(0)).toEqual({
      exitCode: 137,
      signal: 'SIGKILL',
      limitsReached: [],
    })
  })

  it('an AbortSignal kills the container', async () => {
    const abort = new AbortController()
    const running = run(options(['sleep', '1000'], { signal: abort.signal }))
    await until('it runs', () => engine.leftovers().some((line) => line.startsWith('state/')))
    abort.abort(new Error('enough'))
    await expect(running).rejects.toThrow('enough')
  })

  it('refuses more output than it may hold', async () => {
    await expect(run(options(['cat', '/dev/zero'], { maxOutputBytes: 100_000 }))).rejects.toThrow(
      /stdout.*100000 bytes/,
    )
  })

  it('throws TsrunError with kind and exit code, and leaves nothing', async () => {
    await expect(run(options(['nosuchcommand']))).rejects.toSatisfy(
      (error) => error instanceof TsrunError && error.exitCode === 127,
    )
    await expect(run(options(['true'], { image: 'nosuchimage' }))).rejects.toMatchObject({
      kind: 'not-found',
    })
    await expect(run(options(['true'], { capAdd: ['NOPE'] }))).rejects.toMatchObject({
      kind: 'invalid-argument',
    })
  })

  it('runs many at the same time', async () => {
    const results = await Promise.all(
      Array.from({ length: 12 }, (_, i) => run(options(['echo', String(i)]))),
    )
    expect(results.map(({ stdout }) => stdout.trim())).toEqual(
      Array.from({ length: 12 }, (_, i) => String(i)),
    )
  })

  it('leaves no descriptor behind', async () => {
    await run(options(['true']))
    const before = readdirSync('/proc/self/fd').length
    for (let i = 0; i < 20; i++) await run(options(['true']))
    expect(readdirSync('/proc/self/fd').length).toBeLessThanOrEqual(before + 2)
  })

  it.each([
    ['is killed', (child: ChildProcess) => child.kill('SIGKILL')],
    ['exits', (child: ChildProcess) => child.stdin?.end()],
  ])('a process that %s takes its containers with it, before any other command', async (_, end) => {
    const module = JSON.stringify(join(dirname(TSRUN), 'index.js'))
    const args = ['sh', '-c', 'trap "" TERM HUP INT; sleep 1000 & sleep 1001']
    const code = `
      const { start } = await import(${module})
      const { pid } = await start(${JSON.stringify(options(args))})
      console.log(pid)
      process.stdin.on('end', () => process.exit(0)).resume()
    `
    const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    const pid = String(await once(child.stdout, 'data')).trim()
    const namespace = readlinkSync(`/proc/${pid}/ns/pid`)
    await until('both sleep', () => processesIn(namespace).length >= 2)
    end(child)
    await until('no process is left', () => processesIn(namespace).length === 0)
    expect(engine.succeed(['ps', '-aq'])).toBe('')
  })

  it('a killed process leaves a container that the next command removes', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tsrun-library-'))
    const script = join(folder, 'script.test.ts')
    writeFileSync(
      script,
      `import { test } from 'vitest'\nimport { start } from '${new URL('../../src/index.ts', import.meta.url).pathname}'\n` +
        `test('x', async () => { await start(${JSON.stringify(options(['sleep', '1000']))}); await new Promise(() => {}) }, 1e6)\n`,
    )
    const child = spawn(
      process.execPath,
      ['node_modules/vitest/vitest.mjs', 'run', '--root', folder, '--pool', 'forks'],
      { stdio: 'ignore', detached: true },
    )
    await until('it runs', () => engine.succeed(['ps', '-q']) !== '')
    process.kill(-(child.pid ?? 0), 'SIGKILL')
    await until('the next command has removed it', () => engine.succeed(['ps', '-aq']) === '')
    rmSync(folder, { recursive: true })
  })
})

/** Pids of the processes whose /proc/<pid>/ns/pid is `namespace`. */
function processesIn(namespace: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readlinkSync(`/proc/${pid}/ns/pid`) === namespace
    } catch {
      // Ended while we looked.
      return false
    }
  })
}
