/** `network connect` and `disconnect` of containers that run and of others. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ask, HOST_V4, NetworkHost, OUTSIDE_V4 } from '../support/network-host.ts'
import { missing } from '../support/requires.ts'

describe.skipIf(missing('root', 'command:ip', 'command:nft'))('network connect', () => {
  let net: NetworkHost
  const members = (network: string): string[] =>
    JSON.parse(
      readFileSync(join(net.engine.dataRoot, 'networks', network, 'leases.json'), 'utf8'),
    ).leases.map(({ containerName }: { containerName: string }) => containerName)
  const veths = (): string[] => net.host.succeed(['ip', '-br', 'link']).match(/^veth\w+/gm) ?? []
  const canReach = (from: string, address: string): boolean =>
    net.inside(from, `${ask(address, 80).replace('-w 5', '-w 1')} || echo refused`) !== 'refused'

  beforeAll(async () => {
    net = await NetworkHost.make()
    net.tsrun('network', 'create', '--subnet', '10.71.0.0/24', 'one')
    net.tsrun('network', 'create', '--subnet', '10.72.0.0/24', '--ipv6', 'two')
    net.tsrun('network', 'create', '--subnet', '10.73.0.0/24', '--internal', 'closed')
    net.serve('web', '--network', 'one', '-p', '8080:80')
    net.serve('other', '--network', 'name=two,ip=10.72.0.99')
    await net.listens('web')
    await net.listens('other')
  })
  afterAll(() => net[Symbol.dispose]())

  it('gives a running container an interface, an address, a name; disconnect takes them', () => {
    expect(canReach('web', '10.72.0.99')).toBe(false)
    const options = ['--alias', 'shop', '--ip', '10.72.0.7', '--mac-address', '02:42:00:00:00:77']
    expect(net.tsrun('network', 'connect', ...options, 'two', 'web')).toBe('')
    expect(net.inside('web', ask('10.72.0.99', 80))).toBe('I am other')
    expect(net.inside('other', ask('10.72.0.7', 80))).toBe('I am web')
    const addresses = net.inside('web', 'ip -o addr show eth1; ip link show eth1; ip route')
    expect(addresses).toMatch(/inet 10\.72\.0\.7\/24[\s\S]*inet6 fd[\s\S]*02:42:00:00:00:77/)
    expect(addresses.match(/^default/gm)).toHaveLength(1)
    expect(net.inside('web', 'cat /etc/hosts')).toMatch(/^10\.72\.0\.7\t[0-9a-f]{12}$/m)
    expect(net.tsrun('ps', '-f', 'name=web', '--format', '{{.Networks}}')).toBe('one,two')
    net.tsrun('network', 'disconnect', 'two', 'web')
    expect(net.inside('web', 'ip -o link')).not.toContain('eth1')
    expect(net.inside('web', 'cat /etc/hosts')).not.toContain('10.72.0.7')
    expect(members('two')).toEqual(['other'])
  })

  it('moves default routes and ports to the network that is left, and back', () => {
    net.tsrun('network', 'connect', 'two', 'web')
    net.tsrun('network', 'disconnect', 'one', 'web')
    expect(net.inside('web', `ping -c 1 -W 5 ${OUTSIDE_V4}`)).toContain('1 packets received')
    expect(net.script('outside', ask(HOST_V4, 8080))).toBe('I am web')
    net.tsrun('network', 'disconnect', 'two', 'web')
    expect(net.inside('web', 'ip -o link | wc -l')).toBe('1')
    expect(net.tsrun('port', 'web')).toBe('')
    net.tsrun('network', 'connect', 'closed', 'web')
    expect(net.inside('web', 'ip route')).not.toContain('default')
    net.tsrun('network', 'connect', 'one', 'web')
    expect(net.script('outside', ask(HOST_V4, 8080))).toBe('I am web')
    expect(net.script('host', ask('127.0.0.1', 8080))).toBe('I am web')
  })

  it('holds for the next starts, and is recorded for a container that does not run', () => {
    net.tsrun('restart', '-t', '0', 'web')
    expect(net.inside('web', 'ip -o -4 addr')).toMatch(/eth0 +inet 10\.73[\s\S]*eth1 +inet 10\.71/)
    expect(net.inside('web', `ping -c 1 -W 5 ${OUTSIDE_V4}`)).toContain('1 packets received')
    net.tsrun('stop', '-t', '0', 'web')
    net.tsrun('network', 'disconnect', 'closed', 'web')
    net.tsrun('network', 'connect', '--ip', '10.72.0.8', 'two', 'web')
    net.tsrun('start', 'web')
    expect(net.inside('web', 'ip -o -4 addr')).toMatch(
      /eth0 +inet 10\.71[\s\S]*eth1 +inet 10\.72\.0\.8/,
    )
  })

  it('refuses what cannot be, and changes nothing', () => {
    const before = [veths(), net.tsrun('inspect', 'web')]
    const connect = (...args: string[]): string => net.failure('network', 'connect', ...args)
    expect(connect('one', 'web')).toBe(
      'tsrun: cannot connect container "web" to the network "one": it is in it',
    )
    expect(connect('nowhere', 'web')).toContain('cannot find the network "nowhere"')
    expect(connect('closed', 'nobody')).toContain('nobody')
    expect(connect('--ip', '10.72.0.99', 'closed', 'web')).toContain('its subnets are 10.73.0.0/24')
    expect(connect('--ip', '10.73.0.1', 'closed', 'web')).toContain('it belongs to its gateway')
    expect(connect('--alias', 'a b', 'closed', 'web')).toContain('no name of a host')
    net.tsrun('run', '-d', '--name', 'alone', '--network', 'none', 'busybox', 'sleep', '100')
    expect(connect('one', 'alone')).toContain('its network is none')
    expect(net.failure('network', 'disconnect', 'closed', 'web')).toContain('it is not in it')
    expect([veths(), net.tsrun('inspect', 'web')]).toEqual(before)
  })

  it('does not read what a container has grown its /etc/hosts to', () => {
    const name = net.inside('web', 'truncate -s 3G /etc/hosts; hostname')
    net.tsrun('network', 'connect', '--ip', '10.73.0.9', 'closed', 'web')
    const hosts = net.inside('web', 'cat /etc/hosts')
    expect(hosts).toMatch(/^127\.0\.0\.1\tlocalhost$/m)
    expect(hosts).toContain(`10.73.0.9\t${name}`)
    expect(hosts).toMatch(new RegExp(`^10\\.71\\.0\\.\\d+\t${name}$`, 'm'))
    net.inside('web', 'truncate -s 3G /etc/hosts')
    const other = ['run', '--rm', '--network', 'container:web', 'busybox']
    expect(Number(net.tsrun(...other, 'stat', '-c', '%s', '/etc/hosts'))).toBeLessThan(1000)
    net.tsrun('network', 'disconnect', 'closed', 'web')
    expect(net.inside('web', 'cat /etc/hosts')).not.toContain('10.73.0.9')
    net.inside('web', 'truncate -s 3G /etc/hosts')
    net.tsrun('restart', '-t', '0', 'web')
    expect(net.inside('web', 'cat /etc/hosts')).toContain(`\t${name}`)
  })

  it("takes back a dead container's ports with its address", () => {
    net.tsrun('network', 'create', '--subnet', '10.74.0.0/30', 'small')
    const options = ['--network', 'small', '-p', '9091:80']
    const id = net.tsrun('run', '-d', ...options, 'busybox', 'sleep', '100')
    const folder = join(net.engine.dataRoot, 'containers', id)
    const { state } = JSON.parse(readFileSync(join(folder, 'container.json'), 'utf8'))
    const leads = (): boolean => net.host.succeed(['nft', 'list', 'ruleset']).includes('9091')
    expect(leads()).toBe(true)
    process.kill(state.monitorPid, 'SIGKILL')
    process.kill(state.pid, 'SIGKILL')
    net.tsrun('run', '-d', '--name', 'heir', '--network', 'small', 'busybox', 'sleep', '100')
    expect(members('small')).toEqual(['heir'])
    expect(leads()).toBe(false)
    net.tsrun('rm', '-f', 'heir', id)
    net.tsrun('network', 'rm', 'small')
  })

  it('leaves nothing when the containers go', () => {
    net.tsrun('rm', '-f', 'web', 'other')
    expect(veths()).toEqual([])
    expect(['one', 'two', 'closed'].flatMap(members)).toEqual([])
  })
})
