/** create, start, restart, pause, unpause, rename: a container's life in steps of its own. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { TestEngine } from '../support/engine.ts'
import { missing } from '../support/requires.ts'

describe.skipIf(missing('root', 'cgroup2'))('a container started and stopped by steps', () => {
  const engine = new TestEngine()
  beforeAll(() => engine.loadBusybox())
  afterEach(async () => {
    const ids = engine.succeed(['ps', '-aq']).split('\n')
    if (ids[0] !== '') engine.succeed(['rm', '-f', ...ids])
    expect(await engine.settled()).toEqual([])
  })
  afterAll(() => engine[Symbol.dispose]())

  const succeed = (...args: string[]) => engine.succeed(args)
  const inspect = (name: string, template: string) => succeed('inspect', '-f', template, name)
  const status = (name: string) => inspect(name, '{{.State.Status}} {{.State.ExitCode}}')
  const sleeper = (...args: string[]) => succeed('run', '-d', ...args, 'busybox', 'sleep', '1000')

  it('create makes it, start -a runs it again and again, in the files it has written', () => {
    const id = succeed(
      'create',
      '--name',
      'one',
      'busybox',
      'sh',
      '-c',
      'echo x >>/f; cat /f; exit 3',
    )
    expect(id).toMatch(/^[0-9a-f]{64}$/)
    expect(status('one')).toBe('created 0')
    expect(succeed('ps')).not.toContain('one')
    expect(succeed('ps', '-a', '--format', '{{.Status}}')).toBe('Created')
    const first = engine.run(['start', '-a', 'one'])
    expect(first).toEqual({ status: 3, stdout: 'x\n', stderr: '' })
    expect(engine.run(['start', '-a', id.slice(0, 6)])).toMatchObject({
      status: 3,
      stdout: 'x\nx\n',
    })
    expect(succeed('logs', 'one')).toBe('x\nx\nx')
    expect(status('one')).toBe('exited 3')
  })

  it('start tells each name or what is wrong with it; attaching takes one', () => {
    succeed('create', '--name', 'one', 'busybox', 'sleep', '1000')
    const both = engine.run(['start', 'one', 'nope'])
    expect(both).toEqual({
      status: 1,
      stdout: 'one\n',
      stderr: expect.stringMatching(/^tsrun: no such container: nope; hint: /),
    })
    expect(succeed('start', 'one')).toBe('one')
    expect(engine.run(['start', '-a', 'one', 'two']).stderr).toContain(
      'cannot start and attach multiple containers at once',
    )
  })

  it('start -i feeds stdin', () => {
    succeed('create', '-i', '--name', 'reader', 'busybox', 'cat')
    const read = engine.run(['start', '-i', 'reader'], { input: 'typed' })
    expect(read).toEqual({ status: 0, stdout: 'typed', stderr: '' })
  })

  it('a start that fails leaves the container and keeps the reason', () => {
    succeed('create', '--name', 'bad', 'busybox', 'nothing')
    expect(engine.run(['start', 'bad']).status).toBe(1)
    expect(status('bad')).toBe('created 127')
    expect(inspect('bad', '{{.State.Error}}')).toContain('"nothing": executable file not found')
  })

  it('restart gives a new process, also to one that is to be removed after its end', () => {
    sleeper('--name', 'kept', '--rm')
    const pid = inspect('kept', '{{.State.Pid}}')
    expect(succeed('restart', '-t', '0', 'kept')).toBe('kept')
    expect(status('kept')).toBe('running 0')
    expect(inspect('kept', '{{.State.Pid}}')).not.toBe(pid)
    succeed('stop', '-t', '0', 'kept')
  })

  it('restart starts one that has ended', () => {
    succeed('run', '--name', 'ended', 'busybox', 'true')
    succeed('restart', 'ended')
    expect(succeed('wait', 'ended')).toBe('0')
  })

  it('stop takes the signal, the time of the command and that of the container', () => {
    const trap = 'trap "exit 7" USR1; echo ready; while :; do sleep 0.1; done'
    succeed('run', '-d', '--name', 'trap', 'busybox', 'sh', '-c', trap)
    sleeper('--name', 'deaf', '--stop-timeout', '0')
    succeed('exec', 'trap', 'true')
    expect(succeed('stop', '-s', 'USR1', 'trap')).toBe('trap')
    succeed('stop', 'deaf')
    expect(status('deaf')).toBe('exited 137')
  })

  it('pause freezes and unpause thaws; a paused one is neither paused, entered nor removed', () => {
    sleeper('--name', 'cold')
    expect(succeed('pause', 'cold')).toBe('cold')
    expect(succeed('ps', '--format', '{{.State}} {{.Status}}')).toMatch(/^paused Up .* \(Paused\)$/)
    expect(succeed('ps', '-q', '-f', 'status=paused')).not.toBe('')
    expect(inspect('cold', '{{.State.Running}} {{.State.Paused}}')).toBe('true true')
    for (const [args, text] of [
      [['pause', 'cold'], 'it is already paused'],
      [['exec', 'cold', 'true'], 'it is paused'],
      [['start', 'cold'], 'it is paused; hint: use tsrun unpause cold'],
      [['rm', 'cold'], 'it is paused'],
    ] as const)
      expect(engine.run(args).stderr).toContain(text)
    expect(succeed('unpause', 'cold')).toBe('cold')
    expect(engine.run(['unpause', 'cold']).stderr).toContain('it is not paused')
    succeed('exec', 'cold', 'true')
  })

  it('a paused container can be stopped and killed', () => {
    sleeper('--name', 'first')
    sleeper('--name', 'second')
    succeed('pause', 'first', 'second')
    succeed('stop', '-t', '0', 'first')
    succeed('kill', 'second')
    expect(succeed('wait', 'first', 'second')).toBe('137\n137')
  })

  it('rename moves the name, and only to a free one', () => {
    succeed('create', '--name', 'old', 'busybox')
    succeed('create', '--name', 'other', 'busybox')
    expect(succeed('rename', 'old', 'new')).toBe('')
    expect(inspect('new', '{{.Name}}')).toBe('/new')
    expect(engine.run(['inspect', 'old']).status).toBe(1)
    expect(engine.run(['rename', 'new', 'other']).stderr).toContain('it belongs to container')
    expect(engine.run(['rename', 'new', 'new']).stderr).toContain('the name it has')
    expect(engine.run(['rename', 'new', 'a b']).stderr).toContain('cannot use the container name')
    succeed('rename', 'new', 'old')
  })
})
