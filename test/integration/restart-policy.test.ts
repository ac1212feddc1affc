/** Containers that are started anew by their monitors, and what else ends or watches a container in the background. */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { TestEngine } from '../support/engine.ts'
import { makeImage } from '../support/make-image.ts'
import { missing } from '../support/requires.ts'
import { buildTar, dir, file } from '../support/tar-builder.ts'
import { until } from '../support/until.ts'

describe.skipIf(missing('root', 'cgroup2'))('the life of detached containers', () => {
  const engine = new TestEngine()
  const folder = mkdtempSync(join(tmpdir(), 'tsrun-life-'))
  const children: ChildProcess[] = []
  beforeAll(() => engine.loadBusybox())
  afterEach(async () => {
    for (const child of children.splice(0)) child.kill('SIGKILL')
    const ids = engine.succeed(['ps', '-aq']).split('\n')
    if (ids[0] !== '') engine.succeed(['rm', '-f', ...ids])
    expect(await engine.settled()).toEqual([])
  })
  afterAll(() => {
    engine[Symbol.dispose]()
    rmSync(folder, { recursive: true })
  })

  const succeed = (...args: string[]) => engine.succeed(args)
  const runs = (name: string, options: string[], ...command: string[]) =>
    succeed('run', '-d', '--name', name, ...options, 'busybox', ...command)
  const inspect = (name: string, template: string) => succeed('inspect', '-f', template, name)
  const state = (name: string) => inspect(name, '{{.State.Status}} {{.RestartCount}}')
  const ps = (name: string) =>
    succeed('ps', '-a', '--format', '{{.Status}}', '--filter', `name=^${name}$`)
  /** What is written down of it: a look at that costs no start of Node. */
  const recorded = (name: string) => {
    let id: string
    try {
      id = readlinkSync(join(engine.dataRoot, 'names', name))
    } catch {
      // Not made yet, ignoring.
      return {}
    }
    return JSON.parse(readFileSync(join(folderOf(id), 'container.json'), 'utf8')).state
  }
  const folderOf = (id: string) => join(engine.dataRoot, 'containers', id)
  const monitorOf = (name: string): number => recorded(name).monitorPid
  const isEnded = (name: string) => recorded(name).status === 'exited'
  const restarts = (name: string) => recorded(name).restartCount ?? 0

  describe('restart policies', () => {
    it('update changes them for a container that runs, and not for one that goes after its end', async () => {
      runs('changed', [], 'sh', '-c', 'trap "exit 3" TERM; while :; do sleep 0.1; done')
      succeed('update', '--restart', 'on-failure:1', 'changed')
      succeed('exec', 'changed', 'kill', '-TERM', '1')
      await until('it is started anew', () => restarts('changed') === 1)
      await until('it runs', () => recorded('changed').status === 'running')
      succeed('update', '--restart', 'no', 'changed')
      succeed('exec', 'changed', 'kill', '-TERM', '1')
      await until('it has ended', () => isEnded('changed'))
      runs('leaving', ['--rm'], 'sleep', '1000')
      const { stderr } = engine.run(['update', '--restart', 'always', 'leaving'])
      expect(stderr).toMatch(/it goes when it has ended \(--rm\); hint: make it anew without --rm/)
    })

    it('on-failure starts it anew as often as it may, as a new container in its old root and log', async () => {
      const script = 'echo x >> /runs; wc -l < /runs; exit 3'
      const cidfile = join(folder, 'cid')
      runs('failing', ['--restart', 'on-failure:2', '--cidfile', cidfile], 'sh', '-c', script)
      await until('it is given up', () => isEnded('failing'))
      expect(state('failing')).toBe('exited 2')
      expect(succeed('logs', 'failing')).toBe('1\n2\n3')
      expect(inspect('failing', '{{.State.ExitCode}} {{json .HostConfig.RestartPolicy}}')).toBe(
        '3 {"Name":"on-failure","MaximumRetryCount":2}',
      )
      expect(readFileSync(cidfile, 'utf8')).toBe(inspect('failing', '{{.Id}}'))
      runs('fine', ['--restart', 'on-failure'], 'true')
      expect(succeed('wait', 'fine')).toBe('0')
      await until('it is over', () => isEnded('fine'))
      expect(state('fine')).toBe('exited 0')
    })

    it('always: logs -f follows, stop ends it while it runs and while it waits', async () => {
      runs('loop', ['--restart', 'always'], 'sh', '-c', 'echo up')
      const logs = engine.start(['logs', '-f', 'loop'])
      let text = ''
      logs.stdout?.on('data', (bytes) => {
        text += bytes
      })
      const ended = new Promise((resolve) => logs.once('close', resolve))
      await until('it has run three times', () => text.startsWith('up\nup\nup\n'))
      succeed('stop', '-t', '0', 'loop')
      await ended
      expect(state('loop')).toMatch(/^exited [2-9]$/)
      succeed('start', 'loop')
      expect(Number(inspect('loop', '{{.RestartCount}}'))).toBeLessThan(2)
      await until('it waits for long', () => recorded('loop').restartStep >= 6)
      await until('it waits', () => recorded('loop').status === 'restarting')
      expect(ps('loop')).toMatch(/^Restarting \(0\) /)
      expect(engine.run(['rm', 'loop']).stderr).toContain('it is restarting')
      succeed('stop', 'loop')
      expect(state('loop')).toMatch(/^exited /)
    })

    it('kill with the stop signal or SIGKILL is a stop, another signal is not', async () => {
      const trap = 'trap "exit 1" USR1; while :; do sleep 0.05; done'
      runs('killed', ['--restart', 'always'], 'sh', '-c', trap)
      succeed('kill', '-s', 'USR1', 'killed')
      await until(
        'it runs again',
        () => restarts('killed') === 1 && recorded('killed').status === 'running',
      )
      succeed('kill', 'killed')
      await until('it has ended', () => isEnded('killed'))
    })

    it('a foreground run ends with the first end, the container goes on', async () => {
      const args = [
        'run',
        '--name',
        'front',
        '--restart',
        'always',
        'busybox',
        'sh',
        '-c',
        'exit 5',
      ]
      expect(engine.run(args).status).toBe(5)
      await until('it is started anew', () => restarts('front') > 0)
    })

    it('a container whose program cannot run any more stays ended, and says why', async () => {
      runs('gone', ['--restart', 'always'], 'sh', '-c', 'rm -f /bin/sh /bin/busybox; exit 1')
      await until('it is given up', () => isEnded('gone'))
      expect(inspect('gone', '{{.State.Error}}')).toMatch(/cannot .*"sh"|sh: /)
    })

    it('start --filter should-start-on-boot starts what docker would start with the machine', () => {
      runs('on', ['--restart', 'always'], 'sleep', '1000')
      runs('unless', ['--restart', 'unless-stopped'], 'sleep', '1000')
      runs('off', ['--restart', 'unless-stopped'], 'sleep', '1000')
      runs('plain', [], 'sleep', '1000')
      // As after a reboot: neither processes nor monitors, nothing in /run.
      const all = ['on', 'unless', 'off', 'plain']
      succeed('stop', '-t', '0', 'off')
      for (const name of ['on', 'unless', 'plain']) {
        process.kill(monitorOf(name), 'SIGKILL')
        process.kill(Number(inspect(name, '{{.State.Pid}}')), 'SIGKILL')
      }
      const started = succeed('start', '--all', '--filter', 'should-start-on-boot=true')
      expect(started.split('\n').sort()).toEqual(['on', 'unless'])
      expect(all.map((name) => state(name).split(' ')[0])).toEqual([
        'running',
        'running',
        'exited',
        'exited',
      ])
      expect(succeed('ps', '-aq', '-f', 'restart-policy=unless-stopped').split('\n')).toHaveLength(
        2,
      )
      expect(engine.run(['start']).stderr).toContain('no container is named')
    })

    it.each([
      ['--restart', 'sometimes', 'cannot use --restart "sometimes"'],
      ['--restart', 'always', '--rm', 'cannot use --rm together with --restart'],
      ['--cidfile', '/proc/version', 'the file exists'],
    ])('refuses %s %s %s', (...words) => {
      const message = words.pop() ?? ''
      const { status, stderr } = engine.run(['run', '-d', ...words, 'busybox', 'true'])
      expect([status, stderr]).toEqual([125, expect.stringContaining(message)])
    })
  })

  it('--timeout kills it, --pidfile tells its pid', () => {
    const pidfile = join(folder, 'pid')
    runs('short', ['--timeout', '1', '--pidfile', pidfile], 'sleep', '1000')
    expect(readFileSync(pidfile, 'latin1')).toMatch(/^\d+$/)
    expect(succeed('wait', 'short')).toBe('137')
  })

  it('--die-with-parent ends it with whoever has started tsrun, and with tsrun in the foreground', async () => {
    const line = (...args: string[]) => engine.commandLine(['run', ...args]).join(' ')
    const script = `${line('-d', '--name', 'tied', '--die-with-parent', 'busybox', 'sleep', '1000')}; sleep 1000`
    const parent = spawn('sh', ['-c', script])
    children.push(parent)
    await until('it runs', () => recorded('tied').status === 'running')
    parent.kill('SIGKILL')
    expect(succeed('wait', 'tied')).toBe('137')
    const front = engine.start([
      'run',
      '--name',
      'tied2',
      '--die-with-parent',
      'busybox',
      'sleep',
      '1000',
    ])
    await until('it runs', () => recorded('tied2').status === 'running')
    front.kill('SIGKILL')
    expect(succeed('wait', 'tied2')).toBe('137')
  })

  describe('logs', () => {
    it('are rotated, and logs -f follows over all files', async () => {
      const options = ['--log-opt', 'max-size=2k', '--log-opt', 'max-file=4', '-i']
      const script = 'read go; i=0; while [ $i -lt 60 ]; do echo line $i; i=$((i+1)); done'
      runs('rotated', ['--log-driver', 'json-file', ...options], 'sh', '-c', script)
      const logs = engine.start(['logs', '-f', 'rotated'])
      let followed = ''
      logs.stdout?.on('data', (bytes) => {
        followed += bytes
      })
      const ended = new Promise((resolve) => logs.once('close', resolve))
      const attached = engine.start(['attach', 'rotated'])
      attached.stdin?.write('go\n')
      await ended
      const lines = Array.from({ length: 60 }, (_, i) => `line ${i}`).join('\n')
      expect(followed).toBe(`${lines}\n`)
      expect(succeed('logs', 'rotated')).toBe(lines)
      expect(succeed('logs', '--tail', '50', 'rotated').split('\n')).toHaveLength(50)
      expect(inspect('rotated', '{{json .HostConfig.LogConfig}}')).toBe(
        '{"Type":"json-file","Config":{"max-size":"2048","max-file":"4"}}',
      )
      const path = inspect('rotated', '{{.LogPath}}')
      expect([existsSync(`${path}.1`), existsSync(`${path}.4`)]).toEqual([true, false])
    })

    it('are not kept with --log-driver none', () => {
      runs('mute', ['--log-driver', 'none'], 'echo', 'hi')
      expect(succeed('wait', 'mute')).toBe('0')
      expect(engine.run(['logs', 'mute']).stderr).toContain('made with --log-driver none')
    })

    it('attach gives all of the output to many clients, whatever another one does', async () => {
      runs('wide', ['-i'], 'sh', '-c', 'read go; sleep 0.2; head -c 2000000 /dev/zero')
      const sockets = () => readdirSync(`/proc/${monitorOf('wide')}/fd`).length
      const before = sockets()
      const idle = engine.start(['attach', '--no-stdin', 'wide'])
      idle.stdout?.pause()
      const readers = Array.from({ length: 3 }, () => engine.start(['attach', 'wide']))
      const received = readers.map((reader) => {
        let bytes = 0
        reader.stdout?.on('data', (chunk) => {
          bytes += chunk.length
        })
        return new Promise<number>((resolve) => reader.once('close', () => resolve(bytes)))
      })
      await until('all are attached', () => sockets() >= before + 4)
      readers[0]?.stdin?.write('go\n')
      expect(await Promise.all(received)).toEqual([2_000_000, 2_000_000, 2_000_000])
      idle.kill('SIGKILL')
    })
  })

  describe('a monitor that was killed', () => {
    it('is reported, and its container can be stopped, started and removed', async () => {
      runs('lost', [], 'sleep', '1000')
      process.kill(monitorOf('lost'), 'SIGKILL')
      await until('ps says so', () => / \(its monitor was killed\)$/.test(ps('lost')))
      expect(inspect('lost', '{{.State.Status}} {{.State.Error}}')).toMatch(
        /^running its monitor was killed: .*tsrun restart lost/,
      )
      expect(engine.run(['attach', 'lost']).stderr).toContain('its monitor was killed')
      succeed('restart', '-t', '0', 'lost')
      expect(ps('lost')).toMatch(/^Up [^(]*$/)
      process.kill(monitorOf('lost'), 'SIGKILL')
      succeed('stop', '-t', '0', 'lost')
      expect(inspect('lost', '{{.State.Status}} {{.State.ExitCode}}')).toBe('exited 255')
      succeed('start', 'lost')
      process.kill(monitorOf('lost'), 'SIGKILL')
      succeed('rm', '-f', 'lost')
    })

    it('while it waited to start the container anew leaves an ended one', async () => {
      runs('rest', ['--restart', 'always'], 'false')
      await until('it waits for long', () => {
        const { status, restartStep } = recorded('rest')
        return status === 'restarting' && restartStep >= 4
      })
      process.kill(monitorOf('rest'), 'SIGKILL')
      await until('it is given up', () => ps('rest').startsWith('Exited (1)'))
      expect(inspect('rest', '{{.State.Error}}')).toContain('its monitor was killed before')
    })
  })

  describe('health checks', () => {
    it('run without Node, show in ps and inspect, and can be asked for', async () => {
      const check = ['--health-cmd', 'echo looked; test -f /ready', '--health-interval', '1h']
      runs('web', [...check, '--health-retries', '1', '-u', '7:8'], 'sleep', '1000')
      expect(ps('web')).toMatch(/ \(health: starting\)$/)
      expect(engine.run(['healthcheck', 'run', 'web'])).toMatchObject({
        status: 1,
        stdout: 'unhealthy\n',
      })
      expect(succeed('ps', '-f', 'health=unhealthy', '--format', '{{.Names}}')).toBe('web')
      succeed('exec', '-u', '0', 'web', 'touch', '/ready')
      expect(engine.run(['healthcheck', 'run', 'web']).status).toBe(0)
      expect(ps('web')).toMatch(/ \(healthy\)$/)
      const [{ State, Config }] = JSON.parse(succeed('inspect', 'web'))
      expect(State.Health).toMatchObject({
        Status: 'healthy',
        FailingStreak: 0,
        Log: [
          { ExitCode: 1, Output: 'looked\n' },
          { ExitCode: 0, Output: 'looked\n' },
        ],
      })
      expect(Config.Healthcheck).toMatchObject({
        Test: ['CMD-SHELL', 'echo looked; test -f /ready'],
        Interval: 3_600e9,
        Retries: 1,
      })
      const text = readFileSync(`/proc/${monitorOf('web')}/smaps_rollup`, 'latin1')
      expect(Number(/^Rss:\s+(\d+)/m.exec(text)?.[1])).toBeLessThan(1024)
    })

    it('run as the container is run, and not while it is paused', async () => {
      const show =
        'id -u; hostname; grep -c . /proc/self/cgroup; grep Seccomp: /proc/self/status; pwd'
      const options = ['--health-cmd', show, '--health-interval', '1h', '-u', '7:8', '-w', '/tmp']
      runs('same', options, 'sleep', '1000')
      succeed('healthcheck', 'run', 'same')
      const [{ State }] = JSON.parse(succeed('inspect', 'same'))
      expect(State.Health.Log[0].Output).toBe(`${succeed('exec', 'same', 'sh', '-c', show)}\n`)
      succeed('pause', 'same')
      expect(engine.run(['healthcheck', 'run', 'same']).stderr).toContain('it is paused')
      succeed('unpause', 'same')
    })

    it('start an unhealthy container anew where that is asked for', async () => {
      const check = ['--health-cmd', 'test ! -f /sick', '--health-interval', '200ms']
      const options = [...check, '--health-retries', '1', '--health-on-failure', 'restart']
      runs('healed', ['--stop-timeout', '0', ...options], 'sh', '-c', 'rm -f /sick; sleep 1000')
      succeed('exec', 'healed', 'touch', '/sick')
      await until('it was started anew', () => restarts('healed') === 1)
      await until('it is healthy', () => ps('healed').endsWith('(healthy)'))
    })

    it("come from the image's HEALTHCHECK, unless --no-healthcheck", () => {
      const layer = buildTar([
        dir('bin/'),
        file('bin/sh', readFileSync('/bin/busybox'), { mode: 0o755 }),
      ])
      const { config } = makeImage([layer], {
        config: { Healthcheck: { Test: ['CMD-SHELL', 'exit 3'], Interval: 3_600e9, Retries: 1 } },
      })
      const manifest = [
        { Config: 'config.json', RepoTags: ['checked:latest'], Layers: ['layer.tar'] },
      ]
      const archive = buildTar([
        file('manifest.json', JSON.stringify(manifest)),
        file('config.json', config.bytes),
        file('layer.tar', layer),
      ])
      engine.succeed(['load'], { input: archive })
      const start = (name: string, ...options: string[]) =>
        succeed('run', '-d', '--name', name, ...options, 'checked', 'sh', '-c', 'read x')
      start('image', '-i')
      expect(engine.run(['healthcheck', 'run', 'image']).status).toBe(1)
      expect(JSON.parse(inspect('image', '{{json .State.Health.Log}}'))).toMatchObject([
        { ExitCode: 3 },
      ])
      start('none', '-i', '--no-healthcheck')
      expect(engine.run(['healthcheck', 'run', 'none']).stderr).toContain('has no health check')
    })
  })
})
