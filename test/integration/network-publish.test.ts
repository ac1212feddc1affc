/** From where published ports are reached: every address of the host, both families, TCP and UDP, containers too. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ask, HOST_V4, HOST_V6, NetworkHost } from '../support/network-host.ts'
import { missing } from '../support/requires.ts'
import { until } from '../support/until.ts'

const DNSMASQ = ['dnsmasq', '--no-daemon', '--no-hosts', '--no-resolv', '--conf-file=/dev/null']

describe.skipIf(missing('root', 'command:ip', 'command:dnsmasq', 'command:dig'))(
  'published ports',
  () => {
    let net: NetworkHost
    const servers: ChildProcess[] = []
    const pidOf = (container: string): string =>
      net.tsrun('inspect', '-f', '{{.State.Pid}}', container)
    const every = ['127.0.0.1', '::1', HOST_V4, HOST_V6]
    /** What a name server in the container answers by UDP when it is asked at an address of the host. */
    const overUdp = (address: string, port: string): string =>
      net.host
        .succeed(['dig', '+short', '+tries=2', '+time=3', `@${address}`, '-p', port, 'udp.example'])
        .trim()
    const proxies = (): string[] => {
      const folder = join(net.engine.dataRoot, 'networks/.proxies')
      return readdirSync(folder).flatMap(
        (id) => /^process (\d+)/.exec(readFileSync(join(folder, id), 'utf8'))?.[1] ?? [],
      )
    }

    beforeAll(async () => {
      net = await NetworkHost.make()
      net.tsrun('network', 'create', '--ipv6', 'dual')
      net.tsrun('network', 'create', 'four')
      net.tsrun('network', 'create', '--ipv6', 'other')
      net.serve('dual', '--network', 'dual', '-p', '8080:80', '-p', '5300:53/udp')
      net.serve(
        'four',
        '--network',
        'four',
        '-p',
        '8081:80',
        '-p',
        '[::1]:8082:80',
        '-p',
        '5301:53/udp',
      )
      net.tsrun('run', '-d', '--name', 'other', '--network', 'other', 'busybox', 'sleep', '200')
      for (const name of ['dual', 'four']) {
        const argv = ['-t', pidOf(name), '-n', ...DNSMASQ, '--user=root', '--pid-file=']
        servers.push(
          spawn('nsenter', [...argv, '--host-record=udp.example,192.0.2.77'], { stdio: 'ignore' }),
        )
        await net.listens(name)
        await until('the UDP server listens', () =>
          net.inside(name, 'cat /proc/net/udp').includes(':0035 '),
        )
      }
    })
    afterAll(() => {
      for (const server of servers) server.kill('SIGKILL')
      net[Symbol.dispose]()
    })

    it('answer at 127.0.0.1, ::1 and the addresses of the host, over TCP and UDP', () => {
      for (const address of every) {
        expect(net.script('host', ask(address, 8080)), address).toBe('I am dual')
        expect(overUdp(address, '5300'), address).toBe('192.0.2.77')
      }
      for (const address of ['127.0.0.1', '::1', HOST_V4]) {
        expect(net.script('host', ask(address, 8081)), address).toBe('I am four')
        expect(overUdp(address, '5301'), address).toBe('192.0.2.77')
      }
      expect(net.script('host', ask('::1', 8082))).toBe('I am four')
    })

    it('on 127.0.0.1 alone answer to no neighbour that sends there', () => {
      net.serve('near', '--network', 'four', '-p', '127.0.0.1:8083:80')
      expect(net.script('host', ask('127.0.0.1', 8083))).toBe('I am near')
      // A neighbour whose kernel takes 127.0.0.1 for an address behind the host.
      const asNeighbour = `sysctl -qw net.ipv4.conf.eth0.route_localnet=1
        ip rule add pref 10 lookup local; ip rule del pref 0
        ip route add 127.0.0.1/32 via ${HOST_V4} table 100; ip rule add pref 5 to 127.0.0.1 lookup 100
        busybox nc -w 2 127.0.0.1 8083 </dev/null || echo refused
        ip rule add pref 0 lookup local; ip rule del pref 5; ip rule del pref 10`
      expect(net.script('outside', asNeighbour)).toBe('refused')
      net.tsrun('rm', '-f', 'near')
    })

    it('answer to the outside, to their own container and to containers of other networks', () => {
      for (const address of [HOST_V4, HOST_V6]) {
        expect(net.script('outside', ask(address, 8080)), address).toBe('I am dual')
        expect(net.inside('dual', ask(address, 8080)), address).toBe('I am dual')
        expect(net.inside('other', ask(address, 8080)), address).toBe('I am dual')
      }
      // Without them the networks do not reach each other.
      const [v4, v6] = net
        .tsrun(
          'inspect',
          '-f',
          '{{with .NetworkSettings.Networks.dual}}{{.IPAddress}} {{.GlobalIPv6Address}}{{end}}',
          'dual',
        )
        .split(' ')
      for (const address of [v4, v6])
        expect(
          net.inside('other', `busybox nc -w 1 ${address} 80 </dev/null || echo refused`),
        ).toBe('refused')
    })

    it('carry much in both directions at ::1, each side ending when it likes', () => {
      const size = 3_000_000
      const echo = `head -c ${size} /dev/urandom > /tmp/f; nc -l -p 90 < /tmp/f > /tmp/g; md5sum < /tmp/f; md5sum < /tmp/g`
      net.tsrun(
        'run',
        '-d',
        '--name',
        'bulk',
        '--network',
        'four',
        '-p',
        '9090:90',
        'busybox',
        'sh',
        '-c',
        echo,
      )
      const client = `head -c ${size} /dev/zero | (until nc ::1 9090; do sleep 0.1; done) | md5sum`
      const listening = (): boolean => net.inside('bulk', 'cat /proc/net/tcp6').includes(':005A ')
      return until('the server listens', listening).then(() => {
        const got = net.script('host', client)
        net.tsrun('wait', 'bulk')
        const [sent, received] = net.tsrun('logs', 'bulk').split('\n')
        expect(got).toBe(sent)
        expect(received).toBe(
          spawnSync('sh', ['-c', `head -c ${size} /dev/zero | md5sum`], {
            encoding: 'utf8',
          }).stdout.trim(),
        )
      })
    })

    it('are led from ::1 by a process that has no rights and goes with its container', async () => {
      net.tsrun('restart', '-t', '0', 'four')
      await net.listens('four')
      expect(net.script('host', ask('::1', 8081))).toBe('I am four')
      const all = proxies()
      expect(all.length).toBeGreaterThanOrEqual(2)
      for (const pid of all.filter((one) => existsSync(`/proc/${one}`))) {
        const facts = readFileSync(`/proc/${pid}/status`, 'utf8')
        expect(facts).toMatch(/^CapEff:\t0+$[\s\S]*^NoNewPrivs:\t1$[\s\S]*^Seccomp:\t2$/m)
        expect(Number(/^VmRSS:\s+(\d+) kB/m.exec(facts)?.[1])).toBeLessThan(1024)
      }
      net.tsrun('rm', '-f', 'dual', 'four', 'other', 'bulk')
      expect(proxies()).toEqual([])
      await until('they are gone', () => all.every((pid) => !existsSync(`/proc/${pid}`)))
    })
  },
)
