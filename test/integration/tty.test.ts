/** process.terminal: the master goes to the console socket, the container gets the slave. */
import { spawnSync } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { listenForConsole, untilTerminalShows } from '../support/console-socket.ts'
import { makeRuntime, type Runtime, TSRUN } from '../support/runtime.ts'
import { type Bundle, makeBundle, withProcess } from '../support/runtime-bundle.ts'
import { uniqueId } from '../support/unique-id.ts'

const ID_E = uniqueId('e')
const ID_P = uniqueId('p')
const ID_S = uniqueId('s')
const ID_T = uniqueId('t')

let bundle: Bundle
let runtime: Runtime

beforeAll(() => {
  bundle = makeBundle()
  runtime = makeRuntime()
})
afterAll(() => {
  runtime[Symbol.dispose]()
  bundle[Symbol.dispose]()
})

const onTerminal = (script: string): void =>
  bundle.configure((config) =>
    withProcess(config, {
      terminal: true,
      args: ['sh', '-c', script],
      consoleSize: { height: 33, width: 77 },
    }),
  )

describe('create --console-socket', () => {
  it.each([0, 150])(
    'sends the master to a socket path %i bytes longer than usual',
    async (length) => {
      onTerminal(
        'tty; stty size; test -c /dev/console && cat /proc/self/stat | cut -d" " -f7; read more',
      )
      using socket = listenForConsole(length)
      const flags = ['--bundle', bundle.directory, '--console-socket', socket.path]
      runtime.succeed(['create', ...flags, ID_T], { stdio: 'ignore' })
      const { master, text } = socket.accept()
      expect(text).toMatch(/^\/dev\/p/)
      const output = untilTerminalShows(master, '34816\r\n')
      runtime.succeed(['start', ID_T])
      // tty_nr of the controlling terminal: major 136, minor 0.
      expect(await output).toBe('/dev/pts/0\r\n33 77\r\n34816\r\n')
      master.destroy()
      runtime.succeed(['delete', '--force', ID_T])
    },
  )

  it('is required when nobody stays to copy', () => {
    onTerminal('true')
    const result = runtime.run(['create', '--bundle', bundle.directory, ID_T])
    expect(result.status).toBe(1)
    expect(result.stderr).toMatch(/console socket/)
  })

  it('is refused without a terminal', () => {
    bundle.command('true')
    using socket = listenForConsole()
    const flags = ['--bundle', bundle.directory, '--console-socket', socket.path]
    expect(runtime.run(['create', ...flags, ID_T])).toMatchObject({ status: 1 })
  })

  it('says so when nobody listens', () => {
    onTerminal('true')
    const flags = ['--bundle', bundle.directory, '--console-socket', '/nonexistent/socket']
    const result = runtime.run(['create', ...flags, ID_T])
    expect(result.status).toBe(1)
    expect(result.stderr).toContain('/nonexistent/socket')
    expect(runtime.run(['state', ID_T]).status).toBe(1)
  })
})

describe('exec --console-socket', () => {
  it('gives the process a terminal of the container', async () => {
    bundle.command('sleep', '1000')
    runtime.succeed(['run', '--detach', '--bundle', bundle.directory, ID_E], { stdio: 'ignore' })
    using socket = listenForConsole()
    const flags = ['--tty', '--detach', '--console-socket', socket.path]
    runtime.succeed(
      ['exec', ...flags, ID_E, 'sh', '-c', 'tty; read line; echo got $line; read more'],
      {
        stdio: 'ignore',
      },
    )
    const { master } = socket.accept()
    master.write('text\n')
    expect(await untilTerminalShows(master, 'got text')).toContain('/dev/pts/')
    master.destroy()
    runtime.succeed(['delete', '--force', ID_E])
  })
})

describe('run in the foreground', () => {
  it('joins its own terminal to the container, and passes size, input and status on', () => {
    onTerminal('stty size; read line; echo got $line; exit 3')
    const command = `stty rows 20 cols 50; ${TSRUN} --root ${runtime.root} run --bundle ${bundle.directory} ${uniqueId('f')}`
    const { stdout, status } = spawnSync('script', ['-qec', command, '/dev/null'], {
      encoding: 'utf8',
      input: 'text\n',
    })
    expect(stdout).toContain('20 50')
    expect(stdout).toContain('got text')
    expect(status).toBe(3)
  })

  it.each([
    ['run', (id: string) => ['run', '--bundle', bundle.directory, id]],
    ['exec --tty', (id: string) => ['exec', '--tty', id, 'echo', 'line']],
  ])('%s writes lines to a pipe as the program wrote them', (verb, words) => {
    bundle.command('sleep', '1000')
    runtime.succeed(['run', '--detach', '--bundle', bundle.directory, ID_P], { stdio: 'ignore' })
    onTerminal('echo line')
    const id = verb === 'run' ? uniqueId('p2') : ID_P
    const command = `${TSRUN} --root ${runtime.root} ${words(id).join(' ')} | od -c`
    const { stdout } = spawnSync('script', ['-qec', command, '/dev/null'], { encoding: 'utf8' })
    runtime.succeed(['delete', '--force', ID_P])
    expect(stdout).toContain('l   i   n   e  \\n')
  })

  it('shows on the terminal what a hook wrote before it failed', () => {
    bundle.configure((config) => ({
      ...withProcess(config, { terminal: true, args: ['true'] }),
      hooks: {
        startContainer: [{ path: '/bin/sh', args: ['sh', '-c', 'echo broken >&2; exit 1'] }],
      },
    }))
    const command = `${TSRUN} --root ${runtime.root} run --bundle ${bundle.directory} ${uniqueId('hooked')}`
    const { stdout } = spawnSync('script', ['-qec', command, '/dev/null'], { encoding: 'utf8' })
    expect(stdout).toContain('broken')
    expect(stdout).toContain('startContainer hook #0')
  })

  it('passes signals on', async () => {
    bundle.command('sh', '-c', 'trap "exit 9" TERM; echo up; while :; do sleep 0.01; done')
    const child = runtime.start(['run', '--bundle', bundle.directory, ID_S], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const ended = new Promise((resolve) => child.on('exit', resolve))
    await new Promise((resolve) => child.stdout?.once('data', resolve))
    child.kill('SIGTERM')
    expect(await ended).toBe(9)
    expect(runtime.run(['state', ID_S]).status).toBe(1)
  })
})
