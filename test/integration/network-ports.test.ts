/** What `port`, `ps` and `inspect` say of containers in networks. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { NetworkHost } from '../support/network-host.ts'
import { missing } from '../support/requires.ts'

describe.skipIf(missing('root', 'command:ip'))('ports of containers', () => {
  let net: NetworkHost

  beforeAll(async () => {
    net = await NetworkHost.make()
    net.tsrun('network', 'create', '--ipv6', '--subnet', '10.77.0.0/24', 'app')
    const ports = ['-p', '8080:80', '-p', '192.0.2.1:5353:53/udp', '-p', '9000-9001:9000-9001']
    const place = ['--network', 'name=app,alias=server,ip=10.77.0.9', '--expose', '443']
    net.tsrun('run', '-d', '--name', 'web', ...place, ...ports, 'busybox', 'sleep', '100')
    net.tsrun('create', '--name', 'later', '-p', '7000:70', 'busybox', 'true')
    net.tsrun('run', '-d', '--name', 'plain', '--network', 'bridge', 'busybox', 'sleep', '100')
  })
  afterAll(() => net[Symbol.dispose]())

  it('are shown by port, one or all, as docker shows them', () => {
    expect(net.tsrun('port', 'web').split('\n')).toEqual([
      '80/tcp -> 0.0.0.0:8080',
      '80/tcp -> [::]:8080',
      '53/udp -> 192.0.2.1:5353',
      '9000/tcp -> 0.0.0.0:9000',
      '9000/tcp -> [::]:9000',
      '9001/tcp -> 0.0.0.0:9001',
      '9001/tcp -> [::]:9001',
    ])
    expect(net.tsrun('port', 'web', '80')).toBe('0.0.0.0:8080\n[::]:8080')
    expect(net.tsrun('port', 'web', '53/udp')).toBe('192.0.2.1:5353')
    expect(net.tsrun('port', 'later')).toBe('')
    expect(net.failure('port', 'web', '53')).toBe(
      'tsrun: cannot show the port 53/tcp of container "web": it is not published; hint: tsrun port web shows those that are',
    )
    expect(net.failure('port', 'later', '70')).toContain('the container does not run')
    expect(net.failure('port', 'web', '80/x')).toContain('it is PORT[/PROTOCOL]')
  })

  it('are shown by ps, which filters by them', () => {
    expect(net.tsrun('ps', '-f', 'name=web', '--format', '{{.Ports}}|{{.Networks}}')).toBe(
      '443/tcp, 0.0.0.0:9000-9001->9000-9001/tcp, :::9000-9001->9000-9001/tcp, 192.0.2.1:5353->53/udp, 0.0.0.0:8080->80/tcp, :::8080->80/tcp|app',
    )
    const names = (...filters: string[]): string =>
      net.tsrun('ps', '-a', '--format', '{{.Names}}', ...filters.flatMap((one) => ['-f', one]))
    expect(names('publish=8080')).toBe('web')
    expect(names('publish=80')).toBe('')
    expect(names('expose=50-60/udp')).toBe('web')
    expect(names('expose=443/tcp')).toBe('web')
    expect(names('network=bridge')).toBe('plain\nlater')
    expect(names('network=app', 'network=bridge')).toBe('plain\nlater\nweb')
    expect(net.failure('ps', '-f', 'publish=x')).toBe(
      'tsrun: cannot filter by the port "x": it has the form port[-port][/protocol]',
    )
  })

  it('are in inspect, with the networks', () => {
    const [web] = JSON.parse(net.tsrun('inspect', 'web'))
    const { id, subnets } = JSON.parse(
      net.tsrun(
        'network',
        'inspect',
        '-f',
        '{"id":{{json .Id}},"subnets":{{json .IPAM.Config}}}',
        'app',
      ),
    )
    expect(web.NetworkSettings.Ports['80/tcp']).toEqual([
      { HostIp: '0.0.0.0', HostPort: '8080' },
      { HostIp: '::', HostPort: '8080' },
    ])
    expect(web.NetworkSettings.Ports['443/tcp']).toBeNull()
    expect(web.NetworkSettings.IPAddress).toBe('')
    expect(web.NetworkSettings.Networks.app).toMatchObject({
      NetworkID: id,
      IPAddress: '10.77.0.9',
      IPPrefixLen: 24,
      Gateway: '10.77.0.1',
      IPv6Gateway: subnets[1].Gateway,
      MacAddress: '02:42:0a:4d:00:09',
      Aliases: ['server'],
      IPAMConfig: { IPv4Address: '10.77.0.9' },
    })
    expect(web.HostConfig.PortBindings['53/udp']).toEqual([
      { HostIp: '192.0.2.1', HostPort: '5353' },
    ])
    expect(Object.keys(web.Config.ExposedPorts)).toContain('443/tcp')
    expect(net.tsrun('inspect', '-f', '{{.NetworkSettings.IPAddress}}', 'plain')).toMatch(/^10\./)
    const [later] = JSON.parse(net.tsrun('inspect', 'later'))
    expect(later.NetworkSettings.Ports).toEqual({})
    expect(later.NetworkSettings.Networks.bridge.IPAddress).toBe('')
  })

  it('stand beside an MTU, a MAC and the way to the host that were asked for', () => {
    net.tsrun('network', 'create', '--opt', 'com.docker.network.driver.mtu=1400', 'narrow')
    const place = ['--network', 'narrow', '--mac-address', '02:42:00:00:00:42']
    const script = 'cat /sys/class/net/eth0/mtu /sys/class/net/eth0/address; ping -c 1 -W 5 gate'
    const text = net.tsrun(
      'run',
      '--rm',
      ...place,
      '--add-host',
      'gate:host-gateway',
      'busybox',
      'sh',
      '-c',
      script,
    )
    expect(text).toMatch(/^1400\n02:42:00:00:00:42\n/)
    expect(text).toContain('1 packets received')
    expect(net.failure('network', 'create', '--opt', 'mtu=67', 'x')).toContain(
      'it is from 68 to 65535',
    )
  })
})
