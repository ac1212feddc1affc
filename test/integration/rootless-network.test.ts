/** Networks of users without root, by pasta and slirp4netns, in a network namespace of the test's own as the host's. */
import { spawn, spawnSync } from 'node:child_process'
import { copyFileSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildBusyboxImage } from '../../rootfs-cache/build-busybox-image.mjs'
import { holdNetwork, type NetworkNamespace } from '../support/network-namespace.ts'
import { makeOrdinaryUser, type OrdinaryUser, type UserOptions } from '../support/ordinary-user.ts'
import { missing } from '../support/requires.ts'
import { until } from '../support/until.ts'

// The outside: another namespace, behind the host's default route.
const HOST = `ip link set lo up
ip link add up0 type veth peer name out0
ip addr add 192.0.2.1/24 dev up0; ip link set up0 up
ip addr add 2001:db8::1/64 dev up0 nodad
sysctl -qw net.ipv4.ping_group_range="0 2147483647"`

// udev makes it so on a host with users.
const TUN =
  'mknod $dir/tun c 10 200 2>/dev/null || :; chmod 666 $dir/tun; mount --bind $dir/tun /dev/net/tun'
const NAMES =
  'echo "nameserver 192.0.2.2" >$dir/etc/resolv.conf; mount --bind $dir/etc/resolv.conf /etc/resolv.conf'
const WITHOUT_PASTA = 'mount --bind /dev/null /usr/bin/pasta'
const WITHOUT_BOTH = `${WITHOUT_PASTA}; mount --bind /dev/null /usr/bin/slirp4netns`

let user: OrdinaryUser
let host: NetworkNamespace
let outside: NetworkNamespace

function run(args: readonly string[], more = '', program = user.tsrun) {
  const options: UserOptions = {
    env: { TSRUN_NETWORK: '' },
    before: [TUN, NAMES, more].filter((line) => line !== '').join('\n'),
  }
  const words = user.commandLine([program, ...args], options)
  const { status, stdout, stderr } = spawnSync('nsenter', [`--net=${host.path}`, '--', ...words], {
    encoding: 'utf8',
    timeout: 60_000,
  })
  return { status, stdout, stderr: stderr.trim() }
}

function tsrun(args: readonly string[], more = ''): string {
  const { status, stdout, stderr } = run(args, more)
  if (status !== 0) throw new Error(`tsrun ${args.join(' ')}: ${status}: ${stderr}`)
  return stdout
}

function ask(from: NetworkNamespace, address: string, port: number, options = ''): string {
  const script = `busybox nc ${options} -w 5 ${address} ${port} </dev/null || true`
  return from.succeed(['busybox', 'sh', '-c', script])
}

/** Serves its name and who calls. */
const server = (name: string): string[] => [
  'busybox',
  'sh',
  '-c',
  `while true; do echo "I am ${name}" | nc -l -p 80; done`,
]

const LISTENER = `
const [protocol, address, port] = process.argv.slice(1)
const ready = () => console.log('ready')
if (protocol === 'udp')
  require('node:dgram').createSocket('udp4').on('message', (bytes) => console.log(bytes.toString('latin1'))).bind(Number(port), address, ready)
else require('node:net').createServer((socket) => socket.end('secret\\n')).listen(Number(port), address, ready)
`

/** A program that listens, and prints what it gets. */
function listen(network: NetworkNamespace, protocol: 'tcp' | 'udp', address: string, port: number) {
  const command = [process.execPath, '-e', LISTENER, protocol, address, String(port)]
  const child = spawn('nsenter', [`--net=${network.path}`, ...command])
  const listener = { text: '', [Symbol.dispose]: () => void child.kill('SIGKILL') }
  child.stdout.on('data', (bytes) => {
    listener.text += bytes
  })
  return listener
}

/** Helpers by their names, of this test's host alone. */
function helpers(): string[] {
  const namespace = readlinkSync(host.path)
  return readdirSync('/proc')
    .filter((pid) => /^\d+$/.test(pid))
    .map((pid) => nameIn(pid, namespace))
    .filter((name) => ['pasta', 'slirp4netns', 'tsrun-init'].includes(name))
    .sort()
}

function nameIn(pid: string, namespace: string): string {
  try {
    if (readlinkSync(`/proc/${pid}/ns/net`) !== namespace) return ''
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')[0] ?? ''
  } catch {
    // Ended while we looked, ignoring.
    return ''
  }
}

describe.skipIf(
  missing('root', 'userns', 'command:newuidmap', 'command:pasta', 'command:slirp4netns'),
)('networks without root', () => {
  beforeAll(async () => {
    user = makeOrdinaryUser()
    host = await holdNetwork(HOST)
    outside = await holdNetwork('ip link set lo up')
    host.succeed(['ip', 'link', 'set', 'out0', 'netns', outside.path.split('/')[2] ?? ''])
    for (const line of ['addr add 192.0.2.2/24 dev out0', 'link set out0 up'])
      outside.succeed(['ip', ...line.split(' ')])
    host.succeed(['ip', 'route', 'add', 'default', 'via', '192.0.2.2'])
    const archive = join(user.directory, 'busybox.tar')
    copyFileSync(await buildBusyboxImage(), archive)
    tsrun(['load', '-i', archive])
  })

  afterAll(() => {
    user?.[Symbol.dispose]()
    host?.[Symbol.dispose]()
    outside?.[Symbol.dispose]()
  })

  it('publish tcp and udp by default with pasta, which ends with the container', async () => {
    tsrun([
      'run',
      '-d',
      '--name',
      'web',
      '-p',
      '8080:80',
      '-p',
      '192.0.2.1:8081:80',
      ...server('web'),
    ])
    await until('the server listens', () => ask(host, '127.0.0.1', 8080) === 'I am web\n')
    expect([ask(host, '192.0.2.1', 8081), ask(outside, '192.0.2.1', 8080)]).toEqual([
      'I am web\n',
      'I am web\n',
    ])
    expect(ask(host, '127.0.0.1', 8081)).toBe('')
    expect(helpers()).toEqual(['pasta', 'tsrun-init'])
    expect(tsrun(['ps', '--format', '{{.Ports}}'])).toContain('0.0.0.0:8080->80/tcp')
    const busy = run(['run', '--rm', '-p', '8080:80', 'busybox', 'true'])
    expect(busy.stderr).toContain('cannot publish port 8080/tcp: the container "web" has it')
    tsrun(['restart', '-t', '0', 'web'])
    await until('the server listens', () => ask(host, '127.0.0.1', 8080) === 'I am web\n')
    tsrun(['rm', '-f', 'web'])
    await until('pasta has ended', () => helpers().length === 0)

    // busybox has no server of UDP.
    const echo = 'chroot /host socat -u UDP-RECV:53 -'
    const udp = ['--name', 'udp', '-v', '/:/host:ro', '-p', '5353:53/udp', 'busybox']
    tsrun(['run', '-d', ...udp, 'sh', '-c', echo])
    await until('the datagram is there', () => {
      outside.succeed(['bash', '-c', 'echo hello >/dev/udp/192.0.2.1/5353'])
      return tsrun(['logs', 'udp']).startsWith('hello')
    })
    tsrun(['rm', '-f', 'udp'])
  })

  it.each([
    ['pasta', '192.0.2.1', '169.254.1.1', '192.0.2.2'],
    ['slirp4netns', '10.0.2.100', '10.0.2.3', '10.0.2.2'],
  ])(
    'with %s give an address, a way out and files as docker makes them',
    (network, own, dns, gateway) => {
      const script =
        'ip -o -4 addr show eth0; ip route; cat /etc/hosts /etc/resolv.conf; ping -c 1 -W 5 192.0.2.2'
      const text = tsrun([
        'run',
        '--rm',
        '--network',
        network,
        '--hostname',
        'me',
        '--dns-search',
        'example.org',
        'busybox',
        'sh',
        '-c',
        script,
      ])
      expect(text).toContain(`inet ${own}/24`)
      expect(text).toContain(`default via ${gateway} dev eth0`)
      expect(text).toContain(`${own}\tme\n`)
      expect(text).toContain(`nameserver ${dns}\nsearch example.org\n`)
      expect(text).toContain('1 packets received')
      const given = [
        '--dns',
        '192.0.2.53',
        '--add-host',
        'a:192.0.2.7',
        'busybox',
        'cat',
        '/etc/resolv.conf',
        '/etc/hosts',
      ]
      const other = tsrun(['run', '--rm', '--network', network, ...given])
      expect(other).toContain('nameserver 192.0.2.53\n')
      expect(other).toContain('192.0.2.7\ta\n')
    },
  )

  it('ask the name server of the host', async () => {
    using asked = listen(outside, 'udp', '192.0.2.2', 53)
    await until('it listens', () => asked.text.includes('ready'))
    const script = 'nslookup some.example 2>/dev/null & sleep 2; kill $!'
    tsrun(['run', '--rm', '--network', 'pasta', 'busybox', 'sh', '-c', script])
    await until('the question arrives', () => asked.text.includes('example'))
  })

  it('reach the host’s loopback interface only when that is asked for', async () => {
    using listener = listen(host, 'tcp', '127.0.0.1', 7000)
    await until('it listens', () => listener.text.includes('ready'))
    const asks = (network: string, address: string): string =>
      tsrun([
        'run',
        '--rm',
        '--network',
        network,
        'busybox',
        'sh',
        '-c',
        `timeout 3 nc -w 1 ${address} 7000 </dev/null || echo refused; true`,
      ])
    expect([asks('pasta', '192.0.2.2'), asks('slirp4netns', '10.0.2.2')]).toEqual([
      'refused\n',
      'refused\n',
    ])
    const mapped = [
      'run',
      '--rm',
      '--network',
      'pasta:--map-gw',
      '--add-host',
      'host:host-gateway',
      'busybox',
    ]
    expect(tsrun([...mapped, 'sh', '-c', 'timeout 5 nc host 7000 </dev/null | head -n 1'])).toBe(
      'secret\n',
    )
    expect(asks('slirp4netns:allow_host_loopback=true,cidr=10.9.0.0/24', '10.9.0.2')).toBe(
      'secret\n',
    )
  })

  it('with slirp4netns publish ports, where pasta is not installed', async () => {
    tsrun(['run', '-d', '--name', 'web', '-p', '8080:80', ...server('web')], WITHOUT_PASTA)
    await until('the server listens', () => ask(host, '127.0.0.1', 8080) === 'I am web\n')
    expect(ask(outside, '192.0.2.1', 8080)).toBe('I am web\n')
    expect(helpers()).toEqual(['slirp4netns', 'tsrun-init'])
    tsrun(['rm', '-f', 'web'])
    await until('slirp4netns has ended', () => helpers().length === 0)
  })

  it('end with the container, whoever is killed', async () => {
    const data = join(user.directory, 'home/.local/share/tsrun/containers')
    const state = (id: string) =>
      JSON.parse(readFileSync(join(data, id, 'container.json'), 'utf8')).state
    const id = tsrun([
      'run',
      '-d',
      '--network',
      'pasta',
      '-p',
      '8080',
      'busybox',
      'sleep',
      '1000',
    ]).trim()
    const { pid, monitorPid } = state(id)
    process.kill(monitorPid, 'SIGKILL')
    expect(helpers()).toEqual(['pasta', 'tsrun-init'])
    process.kill(pid, 'SIGKILL')
    await until('pasta has ended with the container', () => helpers().length === 0)
    tsrun(['rm', '-f', id])

    // A command that is killed while it starts a container.
    const words = user.commandLine(
      [user.tsrun, 'run', '--rm', '--network', 'pasta', 'busybox', 'sleep', '1000'],
      { before: [TUN, NAMES].join('\n') },
    )
    for (let i = 0; i < 3; i++) {
      const command = spawn('nsenter', [`--net=${host.path}`, '--', ...words], { stdio: 'ignore' })
      const ended = new Promise((resolve) => command.once('close', resolve))
      await until('pasta is started', () => helpers().includes('pasta'))
      command.kill('SIGKILL')
      await ended
      tsrun(['ps'])
      for (const one of tsrun(['ps', '-aq', '--no-trunc'])
        .split('\n')
        .filter((line) => line !== ''))
        tsrun(['rm', '-f', one])
      await until('nothing is left', () => helpers().length === 0)
    }
    expect(readdirSync(data)).toEqual([])
  })

  it('are refused with one sentence', () => {
    const fails = (args: string[], more = ''): string =>
      run(['run', '--rm', ...args, 'busybox', 'true'], more).stderr
    expect(fails(['-p', '80:80'])).toContain(
      'cannot publish port 80/tcp: users have ports from 1024 on; hint: choose one, or as root: sysctl net.ipv4.ip_unprivileged_port_start=80',
    )
    expect(fails(['-p', '8080:80/sctp'])).toContain(
      'cannot publish port 8080/sctp: pasta carries tcp and udp alone',
    )
    expect(fails(['--network', 'slirp4netns', '-p', '[::1]:8080:80'])).toContain(
      'slirp4netns listens on addresses of IPv4 alone',
    )
    expect(fails(['--network', 'bridge'])).toContain(
      'cannot use the network "bridge": networks of bridges need root; hint: use --network pasta',
    )
    expect(fails(['--network', 'pasta:--no-such'])).toMatch(/cannot start pasta: .*no-such/)
    expect(fails(['--network', 'pasta:--netns,/x'])).toContain(
      'cannot give pasta the option "--netns": tsrun starts and ends it',
    )
    expect(fails(['--network', 'slirp4netns:mtu'])).toContain(
      'cannot give slirp4netns the option "mtu": it has the form name=value',
    )
    expect(fails(['--network', 'pasta', '--add-host', 'x:host-gateway'])).toContain(
      'the container has no network in which it reaches the host',
    )
    expect(fails(['-p', '8080:80'], WITHOUT_BOTH)).toContain(
      'cannot use the network "pasta": it is not installed; hint: install the package passt, or slirp4netns',
    )
    expect(fails(['--network', 'pasta'], 'chmod 600 /dev/net/tun')).toContain(
      'users need /dev/net/tun with mode 0666',
    )
    host.succeed(['ip', 'route', 'del', 'default'])
    expect(fails(['--network', 'pasta'])).toContain('the host has no default route')
    host.succeed(['ip', 'route', 'add', 'default', 'via', '192.0.2.2'])
    expect(helpers()).toEqual([])
  })
})
