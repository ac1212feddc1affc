/** Names of containers: the resolver beside each, with a real name server (dnsmasq) in the outside world. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ask, NetworkHost, OUTSIDE_V4, OUTSIDE_V6 } from '../support/network-host.ts'
import { missing } from '../support/requires.ts'
import { until } from '../support/until.ts'

// 60 addresses are more than a datagram holds: they come over TCP.
const SERVER = [
  ...[
    '--no-daemon',
    '--no-hosts',
    '--no-resolv',
    '--conf-file=/dev/null',
    '--user=root',
    '--pid-file=',
  ],
  ...['--bind-interfaces', `--listen-address=${OUTSIDE_V4},${OUTSIDE_V6}`],
  ...['--host-record=far.example,198.51.100.7,2001:db8::77', '--local=/example/'],
  ...Array.from({ length: 60 }, (_, i) => `--host-record=many.example,198.51.100.${i + 1}`),
]

describe.skipIf(missing('root', 'command:ip', 'command:dnsmasq', 'command:dig'))('names', () => {
  let net: NetworkHost
  let server: ChildProcess
  /** Of the containers that run; asked for anew when one was started. */
  let pids = new Map<string, string>()
  const pidOf = (container: string): string => {
    const known = pids.get(container)
    if (known !== undefined && existsSync(`/proc/${known}`)) return known
    const lines = net.tsrun('ps', '--format', '{{.Names}} {{.Pid}}').split('\n')
    pids = new Map(lines.map((line) => line.split(' ') as [string, string]))
    return pids.get(container) ?? ''
  }
  /** What dig prints in the network namespace of a container. */
  const dig = (container: string, ...args: string[]): string => {
    const argv = ['-t', pidOf(container), '-n', 'dig', '+time=5', '+tries=1']
    const server = args.some((arg) => arg.startsWith('@')) ? [] : ['@127.0.0.11']
    return spawnSync('nsenter', [...argv, ...server, ...args], { encoding: 'utf8' }).stdout.trim()
  }
  const short = (container: string, ...args: string[]): string =>
    dig(container, '+short', ...args)
      .split('\n')
      .sort()
      .join(' ')
  const status = (text: string): string => /status: (\w+)/.exec(text)?.[1] ?? text
  /** Pids of the resolvers that live. */
  const resolvers = (): string[] => {
    const folder = join(net.engine.dataRoot, 'networks/.resolvers')
    return readdirSync(folder)
      .flatMap((id) => /^process (\d+)/m.exec(readFileSync(join(folder, id), 'utf8'))?.[1] ?? [])
      .filter((pid) => existsSync(`/proc/${pid}`))
  }

  beforeAll(async () => {
    net = await NetworkHost.make()
    server = spawn('nsenter', [`--net=${net.outside.path}`, 'dnsmasq', ...SERVER], {
      stdio: 'ignore',
    })
    net.tsrun('network', 'create', '--ipv6', '--subnet', '10.77.0.0/24', 'app')
    net.tsrun('network', 'create', '--subnet', '10.78.0.0/24', 'Side')
    net.tsrun('network', 'create', '--internal', '--subnet', '10.79.0.0/24', 'closed')
    net.serve(
      'web',
      '--network',
      'name=app,alias=server,alias=both,ip=10.77.0.9',
      '--dns',
      OUTSIDE_V4,
    )
    net.serve('peer', '--network', 'name=app,alias=both,ip=10.77.0.10', '--dns', OUTSIDE_V6)
    net.serve('cell', '--network', 'closed', '--dns', OUTSIDE_V4)
    for (const name of ['web', 'peer', 'cell']) await net.listens(name)
    await until('the name server answers', () => short('web', 'far.example') !== '')
  })
  afterAll(() => {
    server.kill('SIGKILL')
    net[Symbol.dispose]()
  })

  it('are found in resolv.conf as docker writes it', () => {
    const lines = net.inside('web', 'cat /etc/resolv.conf').split('\n')
    expect(lines[0]).toBe('nameserver 127.0.0.11')
    expect(lines.at(-1)).toMatch(/^options .*\bndots:0$/)
    expect(
      net.tsrun(
        'run',
        '--rm',
        '--network',
        'app',
        '--dns-option',
        'ndots:2',
        'busybox',
        'cat',
        '/etc/resolv.conf',
      ),
    ).toMatch(/^options ndots:2$/m)
    expect(net.tsrun('run', '--rm', 'busybox', 'cat', '/etc/resolv.conf')).not.toContain(
      '127.0.0.11',
    )
  })

  it('lead to containers over TCP and UDP on both families', async () => {
    expect(net.inside('peer', ask('web', 80))).toBe('I am web')
    expect(net.inside('peer', 'ping -4 -c 1 -W 5 server.app')).toContain('(10.77.0.9)')
    expect(net.inside('peer', 'ping -6 -c 1 -W 5 server')).toMatch(/PING server \(fd/)
    const v6 = short('peer', 'AAAA', 'web')
    expect(net.inside('peer', ask(v6, 80))).toBe('I am web')
    // A server of UDP in the container's namespace, asked at the addresses that the name has.
    const own = ['--port=99', '--host-record=udp.example,192.0.2.99', ...SERVER.slice(0, 6)]
    const udp = spawn('nsenter', ['-t', pidOf('web'), '-n', 'dnsmasq', ...own], { stdio: 'ignore' })
    await until('the UDP server listens', () =>
      net.inside('web', 'cat /proc/net/udp6').includes(':0063 '),
    )
    for (const address of [short('peer', 'web'), v6])
      expect(short('peer', `@${address}`, '-p', '99', 'udp.example')).toBe('192.0.2.99')
    udp.kill('SIGKILL')
  })

  it('have addresses of each kind, aliases, short ids, reverse names; or none', () => {
    expect(short('peer', 'web')).toBe('10.77.0.9')
    expect(short('peer', 'WEB.App')).toBe('10.77.0.9')
    expect(short('peer', net.tsrun('ps', '-q', '-f', 'name=web'))).toBe('10.77.0.9')
    expect(short('peer', 'both')).toBe('10.77.0.10 10.77.0.9')
    expect(short('peer', '+tcp', 'both')).toBe('10.77.0.10 10.77.0.9')
    expect(short('peer', '-x', '10.77.0.9')).toBe('web.app.')
    expect(short('web', '-x', short('web', 'AAAA', 'peer'))).toBe('peer.app.')
    const none = dig('cell', 'AAAA', 'cell')
    expect([status(none), /ANSWER: (\d)/.exec(none)?.[1]]).toEqual(['NOERROR', '0'])
    expect(status(dig('peer', 'MX', 'web'))).toBe('NOERROR')
    expect(short('web', 'cell')).toBe('')
  })

  it('are refused at once beyond 64 questions that wait for a server', () => {
    // Nobody is there.
    net.serve('asker', '--network', 'app', '--dns', '192.0.2.50')
    const script = `
      const socket = require('node:dgram').createSocket('udp4')
      const refused = []
      socket.on('message', (message) => {
        refused.push(message.readUInt16BE(0) + ':' + (message[3] & 15))
        if (refused.length === 36) { console.log(refused.join(' ')); socket.close() }
      })
      for (let id = 0; id < 100; id++)
        socket.send(Buffer.from([0, id, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 120, 0, 0, 1, 0, 1]), 53, '127.0.0.11')`
    const argv = ['-t', pidOf('asker'), '-n', process.execPath, '-e', script]
    const { stdout } = spawnSync('nsenter', argv, { encoding: 'utf8', timeout: 30_000 })
    const late = Array.from({ length: 36 }, (_, i) => `${i + 64}:2`)
    expect(stdout.trim().split(' ')).toEqual(late)
    net.tsrun('rm', '-f', 'asker')
  })

  it('that no network has are asked of the host’s servers, over UDP and TCP', () => {
    expect(short('web', 'far.example')).toBe('198.51.100.7')
    expect(short('peer', 'AAAA', 'far.example')).toBe('2001:db8::77')
    expect(status(dig('web', 'nowhere.example'))).toBe('NXDOMAIN')
    expect(dig('web', '+short', 'many.example').split('\n')).toHaveLength(60)
    expect(dig('web', '+noedns', '+ignore', 'many.example')).toMatch(/flags: .*\btc\b/)
    expect(
      dig('web', '+short', '+tcp', '+keepopen', 'many.example', 'far.example', 'web').split('\n'),
    ).toHaveLength(62)
  })

  it('stay inside of an internal network', () => {
    expect(short('cell', 'cell')).toBe('10.79.0.2')
    expect(status(dig('cell', 'far.example'))).toBe('NXDOMAIN')
    expect(net.inside('cell', `ping -c 1 -W 1 ${OUTSIDE_V4} || echo unreachable`)).toContain(
      'unreachable',
    )
  })

  it('come and go with networks that are connected while containers run, and with rename', () => {
    net.tsrun(
      'run',
      '-d',
      '--name',
      'late',
      '--network',
      'bridge',
      '--dns',
      OUTSIDE_V4,
      'busybox',
      'sleep',
      '100',
    )
    expect(net.inside('late', 'cat /etc/resolv.conf')).toContain(`nameserver ${OUTSIDE_V4}`)
    net.tsrun('network', 'connect', '--alias', 'latest', 'app', 'late')
    expect(net.inside('late', ask('web', 80))).toBe('I am web')
    expect(short('web', 'latest')).toMatch(/^10\.77/)
    net.tsrun('network', 'connect', 'Side', 'late')
    expect(short('late', 'late.side')).toMatch(/^10\.78/)
    net.tsrun('rename', 'late', 'later')
    expect([short('web', 'later'), short('web', 'late')]).toEqual([short('web', 'latest'), ''])
    net.tsrun('network', 'disconnect', 'app', 'later')
    expect([short('web', 'later'), short('late'.replace('late', 'later'), 'web')]).toEqual(['', ''])
    expect(short('later', 'far.example')).toBe('198.51.100.7')
    net.tsrun('rm', '-f', 'later')
  })

  it('survive a restart and the death of their resolver', async () => {
    net.tsrun('restart', '-t', '0', 'peer')
    await net.listens('peer')
    expect(net.inside('web', ask('peer', 80))).toBe('I am peer')
    expect(net.inside('peer', ask('web', 80))).toBe('I am web')
    const before = resolvers()
    expect(before).toHaveLength(3)
    for (const pid of before) process.kill(Number(pid), 'SIGKILL')
    await until('they are dead', () => resolvers().length === 0)
    net.tsrun('network', 'connect', 'Side', 'web')
    expect(net.inside('web', ask('peer', 80))).toBe('I am peer')
    expect(resolvers()).toHaveLength(1)
  })

  it('have a resolver that is small, has no rights, and is gone with its container', async () => {
    net.tsrun('restart', '-t', '0', 'web', 'peer', 'cell')
    const [pid = ''] = resolvers()
    const facts = readFileSync(`/proc/${pid}/status`, 'utf8')
    expect(Number(/^VmRSS:\s+(\d+) kB/m.exec(facts)?.[1])).toBeLessThan(1024)
    expect(facts).toMatch(/^CapEff:\t0+$[\s\S]*^NoNewPrivs:\t1$[\s\S]*^Seccomp:\t2$/m)
    net.tsrun('rm', '-f', 'web', 'peer', 'cell')
    expect(resolvers()).toEqual([])
    await until('the resolver is gone', () => !existsSync(`/proc/${pid}`))
  })
})
