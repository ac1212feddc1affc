/** events: what happens to containers is kept, told as it happens, filtered, and never forged by a label. */
import { once } from 'node:events'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { TestEngine } from '../support/engine.ts'
import { missing } from '../support/requires.ts'
import { until } from '../support/until.ts'

describe.skipIf(missing('root', 'cgroup2'))('tsrun events', () => {
  const engine = new TestEngine()
  const succeed = (...args: string[]) => engine.succeed(args)
  const begin = new Date(Date.now() - 1000).toISOString()
  const past = (...args: string[]) => succeed('events', '--since', begin, '--until', '0s', ...args)
  const actions = (...filters: string[]) =>
    past('--format', '{{.Action}}', ...filters.flatMap((filter) => ['-f', filter])).split('\n')

  beforeAll(() => engine.loadBusybox())
  afterAll(async () => {
    expect(await engine.settled()).toEqual([])
    engine[Symbol.dispose]()
  })

  it('keeps the life of a container, in order', () => {
    succeed('run', '-d', '--name', 'one', '-l', 'a=b', 'busybox', 'sleep', '1000')
    succeed('exec', 'one', 'true')
    succeed('pause', 'one')
    succeed('unpause', 'one')
    succeed('rename', 'one', 'two')
    succeed('restart', '-t', '0', 'two')
    succeed('stop', '-t', '0', 'two')
    succeed('rm', 'two')
    expect(actions('type=container')).toEqual([
      'create',
      'start',
      'exec_create: true',
      'exec_start: true',
      'exec_die',
      'pause',
      'unpause',
      'rename',
      'kill',
      'stop',
      'die',
      'start',
      'restart',
      'kill',
      expect.stringMatching(/^(stop|die)$/),
      expect.stringMatching(/^(stop|die)$/),
      'destroy',
    ])
  })

  it('filters and shows them in docker\u2019s shape', () => {
    expect(actions('event=die', 'container=two')).toEqual(['die', 'die'])
    expect(actions('label=a=b', 'event=create', 'event=destroy')).toEqual(['create', 'destroy'])
    expect(actions('container=nobody')).toEqual([''])
    const event = JSON.parse(past('--format', 'json', '-f', 'event=die').split('\n')[0] ?? '')
    expect(event).toMatchObject({
      status: 'die',
      from: 'busybox',
      Type: 'container',
      Action: 'die',
      scope: 'local',
      Actor: { Attributes: { a: 'b', exitCode: '137', image: 'busybox', name: 'two' } },
    })
    expect(Object.keys(event)).toEqual(
      expect.arrayContaining(['status', 'id', 'from', 'Type', 'Action', 'Actor', 'scope', 'time']),
    )
    expect(engine.run(['events', '-f', 'nope=x']).stderr).toContain('cannot use the filter')
  })

  it('tells of images, volumes and networks in docker\u2019s words', () => {
    const archive = join(engine.directory, 'saved.tar')
    succeed('tag', 'busybox', 'other:1')
    succeed('save', '-o', archive, 'other:1')
    succeed('rmi', 'other:1')
    succeed('load', '-i', archive)
    succeed('run', '--rm', '-v', 'vol:/v:ro', 'busybox', 'true')
    succeed('volume', 'rm', 'vol')
    succeed('volume', 'create', 'unused')
    succeed('volume', 'prune', '-af')
    succeed('network', 'create', 'events-net')
    succeed('run', '--rm', '--network', 'events-net', 'busybox', 'true')
    succeed('network', 'rm', 'events-net')
    const told = (type: string) =>
      past('-f', `type=${type}`, '--format', '{{.Action}} {{.Actor.Attributes.name}}').split('\n')
    expect(told('image').slice(-4)).toEqual([
      ...['tag other:1', 'save other:1', 'untag other:1', 'load other:1'],
    ])
    expect(told('network')).toEqual(
      ['create', 'connect', 'disconnect', 'destroy'].map((action) => `${action} events-net`),
    )
    const volumes = past('-f', 'type=volume', '--format', 'json').split('\n')
    const [, mounted, unmounted] = volumes.map((line) => JSON.parse(line))
    expect(volumes.map((line) => JSON.parse(line).Action)).toEqual([
      ...['create', 'mount', 'unmount', 'destroy', 'create', 'destroy', 'prune'],
    ])
    const container = expect.stringMatching(/^[0-9a-f]{64}$/)
    expect(mounted.Actor).toEqual({
      ID: 'vol',
      Attributes: {
        container,
        destination: '/v',
        driver: 'local',
        propagation: '',
        'read/write': 'false',
      },
    })
    expect(unmounted.Actor).toEqual({ ID: 'vol', Attributes: { container, driver: 'local' } })
    expect(actions('volume=vol')).toHaveLength(4)
    expect(actions('network=events-net', 'event=create')).toHaveLength(1)
  })

  it('tells what happens from now on until it is stopped', async () => {
    const child = engine.start(['events', '--filter', 'event=start', '--format', '{{.Action}}'])
    let out = ''
    child.stdout?.on('data', (bytes) => {
      out += String(bytes)
    })
    await until(
      () => `a start is told, but ${JSON.stringify(out)}`,
      () => {
        succeed('run', '--rm', 'busybox', 'true')
        return out.includes('start\n')
      },
    )
    child.kill('SIGTERM')
    await once(child, 'close')
    expect(out).toMatch(/^(start\n)+$/)
  })

  it('escapes what a label says: no line of it looks like an event of its own', () => {
    const label = 'x=1)\n2026-01-01T00:00:00.000000000Z container die 0000 (a=b'
    succeed('run', '--rm', '-l', label, 'busybox', 'true')
    const lines = past().split('\n')
    expect(lines.filter((line) => line.startsWith('2026-01-01'))).toEqual([])
    expect(
      lines.every((line) => /^20\d\d-\S+Z (container|image|volume|network) \S/.test(line)),
    ).toBe(true)
    // Nor can a label take the place of the engine's own words.
    succeed('run', '--rm', '-l', 'name=forged', '--name', 'real', 'busybox', 'true')
    expect(actions('container=forged')).toEqual([''])
    expect(actions('container=real', 'event=die')).toEqual(['die'])
  })
})
