/** Containers in the background: ps, inspect, logs, stop, kill, wait, rm, and what stays in memory. */
import { readFileSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { TestEngine } from '../support/engine.ts'
import { missing } from '../support/requires.ts'
import { until } from '../support/until.ts'

describe.skipIf(missing('root', 'cgroup2'))('detached containers', () => {
  const engine = new TestEngine()
  beforeAll(() => engine.loadBusybox())
  afterEach(async () => {
    const ids = engine
      .succeed(['ps', '-aq'])
      .split('\n')
      .filter((id) => id !== '')
    if (ids.length > 0) engine.succeed(['rm', '-f', ...ids])
    expect(await engine.settled()).toEqual([])
  })
  afterAll(() => engine[Symbol.dispose]())

  const succeed = (...args: string[]) => engine.succeed(args)
  const start = (name: string, ...args: string[]) =>
    succeed('run', '-d', '--name', name, 'busybox', ...args)
  const status = (name: string) =>
    succeed('inspect', '-f', '{{.State.Status}} {{.State.ExitCode}}', name)

  it('run -d prints the id and returns, ps shows it', () => {
    const id = start('one', 'sleep', '1000')
    expect(id).toMatch(/^[0-9a-f]{64}$/)
    const [heading, row] = succeed('ps').split('\n')
    expect(heading).toMatch(/^CONTAINER ID +IMAGE +COMMAND +CREATED +STATUS +PORTS +NAMES$/)
    expect(row).toMatch(new RegExp(`^${id.slice(0, 12)} +busybox +"sleep 1000" .* Up .* one$`))
    expect(succeed('ps', '-q', '--no-trunc')).toBe(id)
    expect(succeed('ps', '--format', 'json')).toContain(`"Names":"one"`)
  })

  it('ps filters by status, label, name and ancestor', () => {
    succeed('run', '-d', '--name', 'labelled', '-l', 'a=b', 'busybox', 'true')
    start('plain', 'sleep', '1000')
    succeed('wait', 'labelled')
    const names = (...filters: string[]) =>
      succeed('ps', '-a', '--format', '{{.Names}}', ...filters.flatMap((filter) => ['-f', filter]))
    expect(names('label=a')).toBe('labelled')
    expect(names('label=a=c')).toBe('')
    expect(names('status=running')).toBe('plain')
    expect(names('status=exited', 'exited=0')).toBe('labelled')
    expect(names('name=pla')).toBe('plain')
    expect(names('ancestor=busybox').split('\n')).toEqual(['plain', 'labelled'])
    expect(engine.run(['ps', '-f', 'nope=x']).stderr).toContain('cannot filter by "nope"')
  })

  it('keeps less than 1 MB in memory beside the container, and nothing of Node', async () => {
    start('small', 'sleep', '1000')
    const processes = () => engine.leftovers().filter((line) => line.startsWith('process'))
    // tsrun itself, and the first process of the monitor, may not be quite gone.
    await until('its monitor is alone', () => processes().length === 1)
    const monitor = processes()[0]?.split(' ')[1]
    const rollup = readFileSync(`/proc/${monitor}/smaps_rollup`, 'latin1')
    expect(Number(/^Rss:\s+(\d+)/m.exec(rollup)?.[1])).toBeLessThan(1024)
  })

  it('keeps the exit code and says when it ended', async () => {
    start('ended', 'sh', '-c', 'exit 3')
    expect(succeed('wait', 'ended')).toBe('3')
    expect(status('ended')).toBe('exited 3')
    expect(succeed('ps', '-a', '--format', '{{.Status}}')).toMatch(/^Exited \(3\) .* ago$/)
    expect(succeed('inspect', '-f', '{{.State.FinishedAt}}', 'ended')).toMatch(/^20\d\d-.*Z$/)
  })

  it('wait waits for several that still run', () => {
    start('a1', 'sh', '-c', 'sleep 0.3; exit 1')
    start('b2', 'sh', '-c', 'sleep 0.1; exit 2')
    expect(succeed('wait', 'a1', 'b2').split('\n')).toEqual(['1', '2'])
  })

  it('stop sends the stop signal, then SIGKILL', () => {
    succeed(
      'run',
      '-d',
      '--name',
      'kind',
      '--stop-signal',
      'USR1',
      'busybox',
      'sh',
      '-c',
      'trap "exit 9" USR1; echo up; while :; do sleep 0.05; done',
    )
    while (succeed('logs', 'kind') !== 'up');
    expect(succeed('stop', 'kind')).toBe('kind')
    expect(status('kind')).toBe('exited 9')
    start('stubborn', 'sleep', '1000')
    succeed('stop', '-t', '0', 'stubborn')
    expect(status('stubborn')).toBe('exited 137')
  })

  it('kill sends any signal, and refuses one that does not run', () => {
    start('killed', 'sleep', '1000')
    succeed('kill', 'killed')
    expect(succeed('wait', 'killed')).toBe('137')
    const again = engine.run(['kill', 'killed'])
    expect([again.status, again.stderr]).toEqual([1, expect.stringContaining('is not running')])
    expect(engine.run(['kill', '-s', 'NOPE', 'killed']).stderr).toContain('"NOPE"')
  })

  it.each(['kill', 'stop'])(
    '%s tells a wrong signal before a container that is not there',
    (verb) => {
      const { status, stderr } = engine.run([verb, '-s', 'NOPE', 'nobody'])
      expect(status).toBe(125)
      expect(stderr).toMatch(
        /^tsrun: cannot send the signal "NOPE": there is no such signal; hint: .*\n$/,
      )
    },
  )

  it('rm refuses a running one without -f', () => {
    start('busy', 'sleep', '1000')
    const { status: code, stderr } = engine.run(['rm', 'busy'])
    expect([code, stderr]).toEqual([1, expect.stringContaining('it is running')])
    expect(succeed('rm', '-f', 'busy')).toBe('busy')
    expect(engine.run(['inspect', 'busy']).status).toBe(1)
  })

  it('--rm removes a detached one by itself', async () => {
    succeed('run', '-d', '--rm', 'busybox', 'true')
    await until('it is removed', () => succeed('ps', '-aq') === '')
  })

  it('finds containers by name, id and the beginning of an id', () => {
    const id = start('found', 'sleep', '1000')
    for (const text of ['found', id, id.slice(0, 12), id.slice(0, 4)]) {
      expect(succeed('inspect', '-f', '{{.Id}}', text)).toBe(id)
    }
    expect(engine.run(['inspect', 'nope']).stderr).toContain('no such object: nope')
  })

  it("inspect has docker's shape", () => {
    succeed(
      'run',
      '-d',
      '--name',
      'shape',
      '-e',
      'A=b',
      '-l',
      'k=v',
      '-v',
      '/tmp:/t:ro',
      '--entrypoint',
      'sleep',
      'busybox',
      '1000',
    )
    const [object] = JSON.parse(succeed('inspect', 'shape'))
    expect(object).toMatchObject({
      Name: '/shape',
      Path: 'sleep',
      Args: ['1000'],
      State: { Status: 'running', Running: true, ExitCode: 0 },
      HostConfig: { NetworkMode: 'none', Binds: ['/tmp:/t:ro'] },
      Mounts: [{ Type: 'bind', Source: '/tmp', Destination: '/t', RW: false }],
      Config: {
        Labels: { k: 'v' },
        Entrypoint: ['sleep'],
        Cmd: ['1000'],
        Image: 'busybox',
        StopSignal: 'SIGTERM',
      },
    })
    expect(object.Config.Env).toContain('A=b')
    expect(succeed('inspect', '-f', '{{.Config.Labels.k}} {{json .State.Running}}', 'shape')).toBe(
      'v true',
    )
  })
})

describe.skipIf(missing('root', 'cgroup2'))('tsrun logs', () => {
  const engine = new TestEngine()
  beforeAll(() => engine.loadBusybox())
  afterAll(() => engine[Symbol.dispose]())

  it('prints both streams, the last lines and times', () => {
    engine.succeed([
      'run',
      '-d',
      '--name',
      'log',
      'busybox',
      'sh',
      '-c',
      'echo 1; sleep 0.05; echo 2 >&2; sleep 0.05; echo 3; printf 4',
    ])
    engine.succeed(['wait', 'log'])
    expect(engine.run(['logs', 'log'])).toEqual({ status: 0, stdout: '1\n3\n4', stderr: '2\n' })
    expect(engine.run(['logs', '--tail', '2', 'log']).stdout).toBe('3\n4')
    expect(engine.run(['logs', '-t', '-n', '1', 'log']).stdout).toMatch(/^\d{4}-\d\d-\d\dT\S+Z 4$/)
    expect(engine.run(['logs', '--since', '2999-01-01T00:00:00Z', 'log']).stdout).toBe('')
    expect(engine.run(['logs', '--since', '10m', 'log']).stdout).toBe('1\n3\n4')
  })

  it('keeps every byte', () => {
    engine.succeed([
      'run',
      '-d',
      '--name',
      'bytes',
      'busybox',
      'sh',
      '-c',
      'head -c 200000 /bin/busybox',
    ])
    engine.succeed(['wait', 'bytes'])
    const log = engine.run(['logs', 'bytes']).stdout
    const direct = engine.run([
      'run',
      '--rm',
      'busybox',
      'head',
      '-c',
      '200000',
      '/bin/busybox',
    ]).stdout
    expect(log === direct && log.length > 0).toBe(true)
  })

  it('follows until the end', async () => {
    engine.succeed([
      'run',
      '-d',
      '--name',
      'follow',
      'busybox',
      'sh',
      '-c',
      'for i in 1 2 3; do echo $i; sleep 0.2; done',
    ])
    expect(engine.run(['logs', '-f', 'follow']).stdout).toBe('1\n2\n3\n')
    expect(engine.run(['logs', '-f', 'follow']).stdout).toBe('1\n2\n3\n')
  })
})

describe.skipIf(missing('root', 'cgroup2'))('tsrun exec', () => {
  const engine = new TestEngine()
  beforeAll(async () => {
    await engine.loadBusybox()
    engine.succeed([
      'run',
      '-d',
      '--name',
      'target',
      '-e',
      'OWN=1',
      '-w',
      '/tmp',
      '--cap-drop',
      'ALL',
      'busybox',
      'sleep',
      '1000',
    ])
  })
  afterAll(() => engine[Symbol.dispose]())

  it("runs beside the container's process with its environment, directory and capabilities", () => {
    const text = engine.succeed([
      'exec',
      '-e',
      'MORE=2',
      'target',
      'sh',
      '-c',
      'echo $OWN $MORE; pwd; grep CapBnd /proc/self/status; cat /proc/1/comm',
    ])
    expect(text).toMatch(/^1 2\n\/tmp\nCapBnd:\t0000000000000000\nsleep$/)
  })

  it('passes streams and exit codes on', () => {
    expect(
      engine.run(['exec', '-i', 'target', 'sh', '-c', 'cat; echo e >&2; exit 5'], { input: 'in' }),
    ).toEqual({ status: 5, stdout: 'in', stderr: 'e\n' })
    expect(engine.run(['exec', 'target', 'nosuchcommand']).status).toBe(127)
    expect(engine.run(['exec', 'target', '/etc']).status).toBe(126)
  })

  it('takes user and directory, and refuses what does not run', () => {
    expect(
      engine.succeed(['exec', '-u', '7:8', '-w', '/', 'target', 'sh', '-c', 'id -u; id -g; pwd']),
    ).toBe('7\n8\n/')
    expect(
      engine.succeed(['exec', '--privileged', 'target', 'grep', 'CapEff', '/proc/self/status']),
    ).toMatch(/[1-9a-f]/)
    expect(engine.run(['exec', 'nope', 'true']).stderr).toContain('no such container')
  })

  it('runs in the background with -d', async () => {
    engine.succeed(['exec', '-d', 'target', 'sh', '-c', 'echo done > /tmp/flag'])
    await until(
      'it has written',
      () => engine.run(['exec', 'target', 'cat', '/tmp/flag']).stdout === 'done\n',
    )
  })
})
