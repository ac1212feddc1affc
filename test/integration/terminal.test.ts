/** Containers on a terminal: raw mode, window size, signals from the keyboard, leaving by keys. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { TestEngine } from '../support/engine.ts'
import { Terminal } from '../support/pty.ts'
import { missing } from '../support/requires.ts'
import { until } from '../support/until.ts'

describe.skipIf(missing('root', 'cgroup2', 'command:python3'))('a terminal', () => {
  const engine = new TestEngine()
  beforeAll(() => engine.loadBusybox())
  afterEach(async () => expect(await engine.settled()).toEqual([]))
  afterAll(() => engine[Symbol.dispose]())

  const terminal = (...args: string[]) => new Terminal(engine.commandLine(args), 33, 77)

  it('run -it follows the window and passes the exit code on', async () => {
    const screen = terminal('run', '--rm', '-it', 'busybox', 'sh')
    await screen.shows('/ # ')
    screen.type('stty size; tty\n')
    await screen.shows('33 77')
    await screen.shows('/dev/pts/0')
    screen.resize(20, 50)
    screen.type(`until stty size | grep -q '20 50'; do sleep 0.05; done; echo fol""lowed\n`)
    await screen.shows('followed')
    screen.type('exit 5\n')
    expect(await screen.end()).toBe(5)
  })

  it('run -it gives Ctrl-C to the container', async () => {
    const screen = terminal(
      'run',
      '--rm',
      '-it',
      'busybox',
      'sh',
      '-c',
      'trap "echo got; exit 4" INT; echo up; while :; do sleep 0.05; done',
    )
    await screen.shows('up')
    screen.type('\x03')
    await screen.shows('got')
    expect(await screen.end()).toBe(4)
  })

  it('run -it leaves the container by the detach keys; logs and attach find it again', async () => {
    const screen = terminal('run', '-it', '--name', 'left', 'busybox', 'sh')
    await screen.shows('/ # ')
    screen.type('echo kept\n')
    await screen.shows('kept')
    screen.type('\x10\x11')
    expect(await screen.end()).toBe(0)
    expect(engine.succeed(['ps', '--format', '{{.Names}} {{.State}}'])).toBe('left running')
    expect(engine.succeed(['logs', 'left'])).toContain('kept')
    const again = terminal('attach', 'left')
    await until('it is attached', () => engine.run(['exec', 'left', 'true']).status === 0)
    again.type('echo aga""in\n')
    await again.shows('again')
    again.type('exit 8\n')
    expect(await again.end()).toBe(8)
    engine.succeed(['rm', '-f', 'left'])
  })

  it('exec -it has a terminal of its own', async () => {
    engine.succeed(['run', '-d', '--name', 'host', 'busybox', 'sleep', '1000'])
    const screen = terminal('exec', '-it', 'host', 'sh')
    await screen.shows('/ # ')
    screen.type('stty size\n')
    await screen.shows('33 77')
    screen.resize(21, 51)
    screen.type(`until stty size | grep -q '21 51'; do sleep 0.05; done; echo fol""lowed\n`)
    await screen.shows('followed')
    screen.type('exit 6\n')
    expect(await screen.end()).toBe(6)
    engine.succeed(['rm', '-f', 'host'])
  })

  it('gives the terminal back as it was, also after an error', async () => {
    for (const [args, code] of [
      [['run', '--rm', '-it', 'busybox', 'true'], 0],
      [['run', '--rm', '-it', 'busybox', 'nosuchcommand'], 127],
    ] as const) {
      const command = engine
        .commandLine(args)
        .map((word) => `'${word}'`)
        .join(' ')
      const screen = new Terminal([
        '/bin/sh',
        '-c',
        `${command} 2>/dev/null; echo code $?; stty -a; read line`,
      ])
      await screen.shows(`code ${code}`)
      await until('stty has printed', () => screen.text.includes(' echo '))
      expect(screen.text).toMatch(/ icanon .*/s)
      screen.type('\n')
      await screen.end()
    }
  })

  it('run -it refuses an input that is no terminal', () => {
    const { status, stderr } = engine.run(['run', '--rm', '-it', 'busybox', 'true'])
    expect([status, stderr]).toEqual([
      125,
      expect.stringContaining('the input device is not a TTY'),
    ])
  })

  it('run -t without -i joins the streams', () => {
    const { stdout } = engine.run([
      'run',
      '--rm',
      '-t',
      'busybox',
      'sh',
      '-c',
      'echo a; echo b >&2; test -t 1 && echo tty',
    ])
    expect(stdout).toBe('a\r\nb\r\ntty\r\n')
  })
})
