/** exec in a running container as callers of runc do it: from a process file, from flags, detached. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { installedRuntimes, makeRuntime, type Runtime } from '../support/runtime.ts'
import { type Bundle, makeBundle } from '../support/runtime-bundle.ts'
import { uniqueId } from '../support/unique-id.ts'
import { until } from '../support/until.ts'

const ID = uniqueId('c')
const GONE = uniqueId('gone')

const ENV = ['PATH=/bin']

describe.each(installedRuntimes())('%s', (name) => {
  let bundle: Bundle
  let runtime: Runtime

  beforeAll(() => {
    bundle = makeBundle()
    bundle.command('sleep', '1000')
    runtime = makeRuntime(name)
    runtime.succeed(['run', '--detach', '--bundle', bundle.directory, ID], { stdio: 'ignore' })
  })
  afterAll(() => {
    runtime[Symbol.dispose]()
    bundle[Symbol.dispose]()
  })

  const processFile = (process: Record<string, unknown>): string => {
    const path = join(bundle.directory, 'process.json')
    writeFileSync(
      path,
      JSON.stringify({ user: { uid: 0, gid: 0 }, cwd: '/', env: ENV, ...process }),
    )
    return path
  }

  it('exec() passes the exit status on', () => {
    expect(runtime.run(['exec', ID, 'sh', '-c', 'echo out; echo err >&2; exit 7'])).toMatchObject({
      status: 7,
      stdout: 'out\n',
      stderr: 'err\n',
    })
  })

  it('exec() reports 128 and the signal of a process that was killed', () => {
    expect(runtime.run(['exec', ID, 'sh', '-c', 'kill -9 $$']).status).toBe(137)
  })

  it.skipIf(name === 'crun')('exec() takes user, directory and environment from flags', () => {
    const script = 'id -u; id -g; pwd; echo $A'
    const flags = ['--user', '5:6', '--cwd', '/tmp', '--env', 'A=1']
    expect(runtime.succeed(['exec', ...flags, ID, 'sh', '-c', script])).toBe('5\n6\n/tmp\n1\n')
  })

  it.skipIf(name === 'crun')('exec() gives HOME of the user it runs as', () => {
    const script = [ID, 'sh', '-c', 'echo $HOME']
    expect(runtime.succeed(['exec', ...script])).toBe('/root\n')
    expect(runtime.succeed(['exec', '--user', '4321', ...script])).toBe('/\n')
    expect(runtime.succeed(['exec', '--env', 'HOME=', ...script])).toBe('/root\n')
  })

  it('exec() takes the process from a file', () => {
    const path = processFile({ args: ['sh', '-c', 'id -u; cat'], user: { uid: 9, gid: 9 } })
    expect(runtime.succeed(['exec', '--process', path, ID], { input: 'text' })).toBe('9\ntext')
  })

  it('exec() detached writes the pid file and leaves the process behind', async () => {
    const path = processFile({ args: ['sleep', '1000'] })
    const pidFile = join(bundle.directory, 'exec.pid')
    const flags = ['--process', path, '--detach', '--pid-file', pidFile]
    runtime.succeed(['exec', ...flags, ID], { stdio: 'ignore' })
    const pid = Number(readFileSync(pidFile, 'utf8'))
    // crun and runc go before their process has become the program.
    await until(
      'the program runs',
      () => readFileSync(`/proc/${pid}/cmdline`, 'utf8') === 'sleep\x001000\0',
    )
    process.kill(pid, 'SIGKILL')
  })

  it.skipIf(name === 'crun').each([
    ['nope', 'exec: "nope": executable file not found in $PATH'],
    ['/nope', 'exec: "/nope": stat /nope: no such file or directory'],
    ['/etc/passwd', 'exec: "/etc/passwd": permission denied'],
  ])('exec() of %s fails with 255 and the text that callers match', (program, text) => {
    const path = processFile({ args: [program] })
    const result = runtime.run(['exec', '--process', path, '--detach', ID])
    expect(result.status).toBe(255)
    expect(JSON.parse(result.log.at(-1) ?? '')).toMatchObject({
      level: 'error',
      msg: expect.stringContaining(`unable to start container process: ${text}`),
    })
  })

  it('exec() is refused in a container that does not run', () => {
    bundle.command('true')
    runtime.succeed(['create', '--bundle', bundle.directory, GONE], { stdio: 'ignore' })
    runtime.succeed(['kill', GONE, 'KILL'])
    expect(runtime.run(['exec', GONE, 'true']).status).not.toBe(0)
    runtime.succeed(['delete', '--force', GONE])
    expect(runtime.run(['exec', GONE, 'true']).status).not.toBe(0)
  })

  // crun 1.8 runs without a cgroup of its own here and cannot pause.
  it.skipIf(name === 'crun')('pause() stops exec, resume() lets it run again', () => {
    runtime.succeed(['pause', ID])
    expect(runtime.state(ID).status).toBe('paused')
    expect(runtime.run(['exec', ID, 'true']).status).toBe(255)
    runtime.succeed(['resume', ID])
    expect(runtime.run(['exec', ID, 'true']).status).toBe(0)
  })

  it.skipIf(name === 'crun')('ps() lists the pids of all processes', () => {
    const pids = JSON.parse(runtime.succeed(['ps', '--format', 'json', ID]))
    expect(pids).toContain(runtime.state(ID).pid)
  })
})

describe('tsrun alone', () => {
  it('exec() takes ids strictly', () => {
    using bundle = makeBundle()
    bundle.command('sleep', '1000')
    using runtime = makeRuntime()
    runtime.succeed(['run', '--detach', '--bundle', bundle.directory, ID], { stdio: 'ignore' })
    for (const user of ['0x0', '4294967296', '-1', '1e3', '', '1:2:3', ' 5']) {
      const result = runtime.run(['exec', `--user=${user}`, ID, 'id'])
      expect(result, user).toMatchObject({ status: 255, stdout: '' })
      expect(result.stderr).toMatch(/invalid (user|uid)/)
    }
  })

  it('exec() refuses by name what it does not do, as create does', () => {
    using bundle = makeBundle()
    bundle.command('sleep', '1000')
    using runtime = makeRuntime()
    runtime.succeed(['run', '--detach', '--bundle', bundle.directory, ID], { stdio: 'ignore' })
    const path = join(bundle.directory, 'process.json')
    const process = { args: ['true'], cwd: '/', selinuxLabel: 'a:b:c:s0' }
    writeFileSync(path, JSON.stringify(process))
    const result = runtime.run(['exec', '--process', path, ID])
    expect(result).toMatchObject({ status: 255, stdout: '' })
    expect(result.stderr).toContain('unsupported: process.selinuxLabel')
  })

  it('exec() keeps the last of two values of a variable', () => {
    using bundle = makeBundle()
    bundle.command('sleep', '1000')
    using runtime = makeRuntime()
    runtime.succeed(['run', '--detach', '--bundle', bundle.directory, ID], { stdio: 'ignore' })
    const script = ['exec', '--env', 'A=1', '--env', 'A=2', ID, 'sh', '-c', 'env | grep ^A=']
    expect(runtime.succeed(script)).toBe('A=2\n')
  })
})
