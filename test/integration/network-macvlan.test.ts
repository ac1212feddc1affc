/** Networks of macvlan: containers as neighbours of what is behind an interface of the host. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ask, NetworkHost, OUTSIDE_V4, OUTSIDE_V6 } from '../support/network-host.ts'
import { missing } from '../support/requires.ts'
import { until } from '../support/until.ts'

describe.skipIf(missing('root', 'command:ip'))('networks of macvlan', () => {
  let network: NetworkHost

  const create = (...args: string[]): string => network.failure('network', 'create', ...args)
  const links = (): string => network.host.succeed(['ip', '-br', 'link'])

  beforeAll(async () => {
    network = await NetworkHost.make()
  })

  afterAll(() => {
    network?.[Symbol.dispose]()
  })

  it('reach and are reached, by name too, and leave nothing', async () => {
    const own = '192.0.2.70'
    const before = links()
    const subnets = ['--subnet', '192.0.2.0/24', '--subnet', '2001:db8::/64', '--ipv6']
    // What the outside has for itself is not to be given to containers.
    const ranges = ['--ip-range', '192.0.2.64/26', '--ip-range', '2001:db8::100/120']
    const options = [...ranges, '--gateway', OUTSIDE_V4, '-o', 'parent=up0']
    network.tsrun('network', 'create', '-d', 'macvlan', ...options, ...subnets, 'lan')
    network.serve('web', '--network', `name=lan,ip=${own}`)
    await network.listens('web')
    expect(network.script('outside', ask(own, 80))).toBe('I am web')
    const inside = (script: string): string =>
      network.tsrun('run', '--rm', '--network', 'lan', 'busybox', 'sh', '-c', script)
    // A server of one connection at a time may be between two.
    await until('it answers', () => inside(`${ask('web', 80)} || true`) === 'I am web')
    for (const address of [OUTSIDE_V4, OUTSIDE_V6])
      expect(inside(`ping -c 1 -W 5 ${address}`)).toContain('1 packets received')
    expect(inside('ip -d link show eth0; ip route')).toContain(`default via ${OUTSIDE_V4} dev eth0`)
    const described = JSON.parse(network.tsrun('network', 'inspect', 'lan'))[0]
    expect(described).toMatchObject({ Driver: 'macvlan', Options: { parent: 'up0' } })

    network.tsrun('network', 'disconnect', 'lan', 'web')
    expect(network.inside('web', 'ip -br link 2>/dev/null || ip link')).not.toContain('eth0')
    network.tsrun('network', 'connect', '--ip', own, 'lan', 'web')
    await until(
      'it is back',
      () => network.script('outside', `${ask(own, 80)} || true`) === 'I am web',
    )
    network.tsrun('rm', '-f', 'web')
    network.tsrun('network', 'rm', 'lan')
    expect(links()).toBe(before)
  })

  it('do not stand in the way of ports, which another network publishes', () => {
    network.tsrun('network', 'create', '--subnet', '10.75.0.0/24', 'inner')
    const parent = ['-d', 'macvlan', '-o', 'parent=up0', '--gateway', OUTSIDE_V4]
    network.tsrun('network', 'create', ...parent, '--subnet', '192.0.2.0/24', 'lan')
    const lan = 'name=lan,ip=192.0.2.71'
    network.serve('shop', '--network', lan, '--network', 'inner', '-p', '8082:80')
    expect(network.tsrun('port', 'shop')).toContain('80/tcp -> 0.0.0.0:8082')
    network.tsrun('network', 'disconnect', 'inner', 'shop')
    expect(network.tsrun('port', 'shop')).toBe('')
    network.tsrun('network', 'connect', 'inner', 'shop')
    expect(network.tsrun('port', 'shop')).toContain('80/tcp -> 0.0.0.0:8082')
    network.tsrun('rm', '-f', 'shop')
    network.tsrun('network', 'rm', 'lan')
    network.tsrun('network', 'rm', 'inner')
  })

  it('are refused with one sentence where they cannot be', () => {
    const subnet = ['--subnet', '192.0.2.0/24']
    expect(create('-d', 'macvlan', ...subnet, 'x')).toBe(
      'tsrun: cannot make the network "x": the driver macvlan needs an interface of the host; hint: -o parent=INTERFACE',
    )
    expect(create('-d', 'macvlan', '-o', 'parent=none0', ...subnet, 'x')).toContain(
      'the host has no interface "none0"',
    )
    expect(create('-d', 'macvlan', '-o', 'parent=up0', 'x')).toContain(
      'the driver macvlan needs the subnet behind up0',
    )
    expect(
      create('-d', 'macvlan', '-o', 'parent=up0', '-o', 'macvlan_mode=x', ...subnet, 'x'),
    ).toContain('"x" is none of the modes private, vepa, bridge, passthru')
    expect(create('-d', 'macvlan', '-o', 'parent=up0', '-o', 'x=y', ...subnet, 'x')).toContain(
      'the driver macvlan has no option "x"',
    )
    network.tsrun('network', 'create', '-d', 'macvlan', '-o', 'parent=up0', ...subnet, 'lan')
    const run = (...args: string[]): string =>
      network.failure('run', '--rm', '--network', 'lan', ...args, 'busybox', 'true')
    expect(run('-p', '8080:80')).toContain(
      'cannot publish ports from a network of the driver macvlan; hint: the container has an address of its own, 192.0.2.',
    )
    network.tsrun(
      'network',
      'create',
      '-d',
      'macvlan',
      '-o',
      'parent=lo',
      '--subnet',
      '192.0.3.0/24',
      'loop',
    )
    expect(network.failure('run', '--rm', '--network', 'loop', 'busybox', 'true')).toContain(
      'lo is no interface that this can stand on',
    )
    network.tsrun('network', 'rm', 'loop')
    network.tsrun('network', 'rm', 'lan')
  })
})
