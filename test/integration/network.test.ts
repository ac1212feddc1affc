/** Networks of bridges, in a network namespace of the test's own, which stands for the host's, with another as the outside. */
import { spawn, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { TestEngine } from '../support/engine.ts'
import { holdNetwork, type NetworkNamespace } from '../support/network-namespace.ts'
import { missing } from '../support/requires.ts'
import { until } from '../support/until.ts'

// The outside: another namespace at the end of a link, which is the host's way to everything.
const HOST = `ip link set lo up
ip link add up0 type veth peer name eth0
ip addr add 192.0.2.1/24 dev up0; ip link set up0 up`

describe.skipIf(missing('root', 'command:ip'))('bridge networks', () => {
  let engine: TestEngine
  let host: NetworkNamespace
  let outside: NetworkNamespace

  const tsrun = (...args: string[]): string =>
    host.succeed(engine.commandLine(args), { timeout: 60_000 }).replace(/\n$/, '')
  const failure = (...args: string[]): string => {
    const command = ['nsenter', [`--net=${host.path}`, '--', ...engine.commandLine(args)]] as const
    const { status, stderr } = spawnSync(command[0], command[1], {
      encoding: 'utf8',
      timeout: 60_000,
    })
    return status === 0 ? 'it succeeded' : stderr.trim()
  }
  const run = (...args: string[]): string => tsrun('run', '--rm', ...args)
  /** What is left in the kernel, by the names of interfaces. */
  const veths = (): string[] => host.succeed(['ip', '-br', 'link']).match(/^veth\w+/gm) ?? []
  const leases = (network: string): { containerId: string; ipv4: string; ipv6?: string }[] =>
    JSON.parse(readFileSync(join(engine.dataRoot, 'networks', network, 'leases.json'), 'utf8'))
      .leases
  const ask = (address: string, port: number): string =>
    `busybox nc -w 5 ${address} ${port} </dev/null`
  /** Serves its name to whoever connects. */
  const SERVER = ['busybox', 'sh', '-c', 'while true; do echo "I am $NAME" | nc -l -p 80; done']
  const serve = (name: string, ...options: string[]): void => {
    tsrun(
      'run',
      '-d',
      '--name',
      name,
      '-e',
      `NAME=${name}`,
      '--stop-timeout',
      '0',
      ...options,
      ...SERVER,
    )
  }

  beforeAll(async () => {
    engine = new TestEngine()
    await engine.loadBusybox()
    outside = await holdNetwork('ip link set lo up')
    host = await holdNetwork(HOST)
    host.succeed(['ip', 'link', 'set', 'eth0', 'netns', outside.path.split('/')[2] ?? ''])
    for (const line of ['addr add 192.0.2.2/24 dev eth0', 'link set eth0 up'])
      outside.succeed(['ip', ...line.split(' ')])
    serve('web', '--network', 'bridge', '-p', '8080:80', '-p', '192.0.2.1:8081:80')
  })

  afterAll(() => {
    spawnSync('nsenter', [
      `--net=${host.path}`,
      '--',
      ...engine.commandLine(['rm', '-f', 'web', 'srv']),
    ])
    engine[Symbol.dispose]()
    outside[Symbol.dispose]()
    host[Symbol.dispose]()
  })

  it('give an address, a default route and files as docker makes them', () => {
    const text = run(
      '--network',
      'bridge',
      '--hostname',
      'me',
      '--dns',
      '192.0.2.53',
      '--dns-search',
      'example.org',
      '--add-host',
      'gw:host-gateway',
      '--mac-address',
      '02:42:00:00:00:99',
      'busybox',
      'sh',
      '-c',
      'ip addr show eth0; ip route; cat /etc/hosts /etc/resolv.conf',
    )
    const own = /inet (10\.\d+\.\d+\.\d+)\/20/.exec(text)?.[1] ?? ''
    expect(text).toContain('link/ether 02:42:00:00:00:99')
    const gateway = /default via (\S+) dev eth0/.exec(text)?.[1]
    expect(text).toContain(`${own}\tme\n`)
    expect(text).toContain(`${gateway}\tgw\n`)
    expect(text).toContain('nameserver 192.0.2.53\nsearch example.org')
  })

  it('publish ports on 127.0.0.1, the host addresses, to the outside and to containers', async () => {
    await until('the server listens', () => {
      return (
        spawnSync(
          'nsenter',
          [`--net=${host.path}`, 'busybox', 'sh', '-c', ask('127.0.0.1', 8080)],
          {
            encoding: 'utf8',
          },
        ).stdout === 'I am web\n'
      )
    })
    const answers = [
      host.succeed(['busybox', 'sh', '-c', ask('192.0.2.1', 8081)]),
      outside.succeed(['busybox', 'sh', '-c', ask('192.0.2.1', 8080)]),
      `${run('--network', 'bridge', 'busybox', 'sh', '-c', ask('192.0.2.1', 8080))}\n`,
      `${tsrun('exec', 'web', 'sh', '-c', ask('192.0.2.1', 8080))}\n`,
    ]
    expect(answers).toEqual(Array(4).fill('I am web\n'))
  })

  it('reach the outside with the address of the host', () => {
    expect(
      run('--network', 'bridge', 'busybox', 'ping', '-c', '1', '-W', '5', '192.0.2.2'),
    ).toContain('1 packets received')
    // Without translation the answer would not find back: the outside knows no route to the bridge.
    expect(outside.succeed(['ip', 'route'])).not.toContain('10.')
  })

  it('are where containers are unless told otherwise', () => {
    const line = ['run', '--rm', 'busybox', 'ip', '-o', 'addr', 'show', 'eth0']
    const text = host.succeed(engine.commandLine(line), {
      env: { ...process.env, TSRUN_NETWORK: '' },
    })
    expect(text).toMatch(/ inet 10\.\d+\.\d+\.\d+\/20 /)
    expect(failure(...line)).toContain("'eth0'")
  })

  it('keep what is not published from the outside and the host from its neighbours', () => {
    const [{ ipv4 = '' } = {}] = leases('bridge')
    outside.succeed(['ip', 'route', 'add', '10.208.0.0/20', 'via', '192.0.2.1'])
    const direct = outside.succeed([
      'busybox',
      'sh',
      '-c',
      `busybox nc -w 2 ${ipv4} 80 </dev/null || echo refused`,
    ])
    outside.succeed(['ip', 'route', 'del', '10.208.0.0/20'])
    expect(direct).toBe('refused\n')
  })

  it('name the holder of a port', () => {
    expect(failure('run', '--rm', '--network', 'bridge', '-p', '8080:80', 'busybox', 'true')).toBe(
      'tsrun: cannot publish port 8080/tcp: the container "web" has it; hint: choose another port, or leave it out for any that is free',
    )
    const listener = spawnSync(
      'nsenter',
      [`--net=${host.path}`, 'sh', '-c', 'busybox nc -l -p 7070 & echo $!'],
      { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], timeout: 2000 },
    )
    const pid = Number(listener.stdout.trim())
    expect(
      failure('run', '--rm', '--network', 'bridge', '-p', '7070:80', 'busybox', 'true'),
    ).toContain(`cannot publish port 7070/tcp: the process busybox (pid ${pid}) has it`)
    process.kill(pid)
  })

  it('share the namespace of a container, or of a path', () => {
    expect(run('--network', 'container:web', 'busybox', 'sh', '-c', ask('127.0.0.1', 80))).toBe(
      'I am web',
    )
    expect(run('--network', `ns:${outside.path}`, 'busybox', 'ip', 'addr')).toContain('192.0.2.2')
    expect(failure('run', '--rm', '--network', 'container:none-such', 'busybox', 'true')).toContain(
      'none-such',
    )
  })

  it('are given back by rm, and by the next command after kill -9 of the monitor', async () => {
    expect(leases('bridge')).toHaveLength(1)
    expect(veths()).toHaveLength(1)
    const id = tsrun('run', '-d', '--network', 'bridge', '-p', '9090:80', 'busybox', 'sleep', '100')
    const record = JSON.parse(
      readFileSync(join(engine.dataRoot, 'containers', id, 'container.json'), 'utf8'),
    )
    process.kill(record.state.monitorPid, 'SIGKILL')
    process.kill(record.state.pid, 'SIGKILL')
    expect(tsrun('run', '--rm', '--network', 'bridge', 'busybox', 'true')).toBe('')
    tsrun('rm', '-f', id)
    await until('the veth pairs of the dead are gone', () => veths().length === 1)
    expect(leases('bridge').map(({ containerId }) => containerId)).not.toContain(id)
  })

  it('start and lose 12 containers at once, half of them with kill -9 of their command', async () => {
    const commands = Array.from({ length: 12 }, (_, i) =>
      spawnCommand(
        host.path,
        engine.commandLine([
          'run',
          '--rm',
          '--network',
          'bridge',
          'busybox',
          'sh',
          '-c',
          'ip -o addr show eth0; sleep 0.2',
        ]),
        i % 2 === 1,
      ),
    )
    const outputs = await Promise.all(commands)
    const addresses = outputs.flatMap((text) => /inet (\S+)/.exec(text)?.[1] ?? [])
    expect(new Set(addresses).size).toBe(addresses.length)
    expect(addresses.length).toBeGreaterThanOrEqual(6)
    await until(
      () => `all is given back, but ${veths().join(' ')} ${JSON.stringify(leases('bridge'))}`,
      () => {
        tsrun('ps')
        return veths().length === 1 && leases('bridge').length === 1
      },
    )
  })
  it('of your own: names, both families, isolation, no way out of an internal one', async () => {
    tsrun('network', 'create', '--ipv6', '--subnet', '10.77.0.0/24', '--label', 'x=y', 'app')
    tsrun('network', 'create', '--internal', 'closed')
    serve('srv', '--network', 'name=app,alias=server,ip=10.77.0.9')
    const inside = (...script: string[]): string =>
      run('--network', 'app', '--network', 'closed', 'busybox', 'sh', '-c', script.join('; '))
    const names = inside('nslookup srv; nslookup server.app', 'cat /etc/resolv.conf')
    expect(names.match(/^Address(?: 1)?: 10\.77\.0\.9/gm)).toHaveLength(2)
    expect(names).toMatch(/^Address(?: 2)?: fd[0-9a-f:]+/m)
    const [{ ipv6 = '' } = {}] = leases('app')
    await until('the server listens', () => inside(`${ask(ipv6, 80)} || true`) === 'I am srv')
    expect(inside(ask('10.77.0.9', 80))).toBe('I am srv')
    const refused = (network: string, address: string): string =>
      run(
        '--network',
        network,
        'busybox',
        'sh',
        '-c',
        `busybox nc -w 1 ${address} 80 </dev/null || echo refused`,
      )
    expect([
      refused('bridge', '10.77.0.9'),
      refused('closed', '10.77.0.9'),
      refused('closed', '192.0.2.2'),
    ]).toEqual(Array(3).fill('refused'))
    const described = JSON.parse(tsrun('network', 'inspect', 'app'))[0]
    expect(described).toMatchObject({
      Name: 'app',
      Driver: 'bridge',
      EnableIPv6: true,
      Internal: false,
      Labels: { x: 'y' },
    })
    expect(Object.values(described.Containers)).toMatchObject([
      { Name: 'srv', IPv4Address: '10.77.0.9/24' },
    ])
    expect(tsrun('network', 'ls', '--filter', 'label=x=y', '--format', '{{.Name}} {{.IPv6}}')).toBe(
      'app true',
    )
    expect(failure('network', 'rm', 'app')).toContain(
      'cannot remove the network "app": srv is in it',
    )
    tsrun('rm', '-f', 'srv')
    expect(tsrun('network', 'prune', '--force')).toBe('Deleted Networks:\napp\nclosed')
    expect(host.succeed(['ip', '-br', 'link'])).not.toContain('br-')
  })

  it('refuse what cannot be, with one sentence, and change nothing', () => {
    const before = host.succeed(['ip', '-br', 'link'])
    const create = (...args: string[]): string => failure('network', 'create', ...args)
    expect(create('--subnet', '192.0.2.0/25', 'x')).toContain(
      'it overlaps 192.0.2.0/24 of a route of the host',
    )
    expect(create('--subnet', '10.208.0.0/24', 'x')).toContain('it overlaps 10.208.0.0/20 of')
    expect(create('"; flush ruleset')).toContain('cannot use the network name')
    expect(create('-o', 'com.docker.network.bridge.name=a/../b', 'x')).toContain(
      'cannot use the bridge name',
    )
    expect(create('-d', 'overlay', 'x')).toContain('this tsrun has no driver "overlay"')
    expect(create('host')).toContain('tsrun has one of this name of its own')
    expect(failure('run', '--network', 'nowhere', 'busybox', 'true')).toContain(
      'cannot find the network "nowhere"',
    )
    expect(failure('run', '--network', 'bridge', '-p', '65536:80', 'busybox', 'true')).toContain(
      'cannot publish "65536:80"',
    )
    expect(tsrun('network', 'ls', '--format', '{{.Name}}')).toBe('bridge')
    expect(host.succeed(['ip', '-br', 'link'])).toBe(before)
  })

  it('refuse a foreign bridge of the same name with one sentence and leave it alone', async () => {
    using other = new TestEngine()
    await other.loadBusybox()
    using foreign = await holdNetwork('ip link set lo up')
    const inside = (argv: string[]) =>
      spawnSync('nsenter', [`--net=${foreign.path}`, '--', ...argv], { encoding: 'utf8' })
    const command = other.commandLine(['run', '--rm', '--network', 'bridge', 'busybox', 'true'])
    expect(inside(command).stderr).toBe('')
    const name = /^(tsrun\S+)/m.exec(inside(['ip', '-br', 'link']).stdout)?.[1] ?? ''
    inside(['ip', 'link', 'delete', name])
    inside(['ip', 'link', 'add', name, 'type', 'bridge'])
    expect(inside(command).stderr).toBe(
      `tsrun: cannot use the network "bridge": the host has an interface ${name} that is not tsrun's; hint: rename or remove it (ip link delete ${name})\n`,
    )
    expect(inside(['ip', '-br', 'link', 'show', name]).stdout).toContain('DOWN')
    expect(
      JSON.parse(readFileSync(join(other.dataRoot, 'networks/bridge/leases.json'), 'utf8')).leases,
    ).toEqual([])
  })
})

function spawnCommand(
  network: string,
  argv: readonly string[],
  isKilled: boolean,
): Promise<string> {
  const child = spawn('nsenter', [`--net=${network}`, '--', ...argv], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.on('data', (bytes) => {
    output += bytes
    // nsenter has become the command.
    if (isKilled) child.kill('SIGKILL')
  })
  return new Promise((resolve) => child.on('close', () => resolve(output)))
}
