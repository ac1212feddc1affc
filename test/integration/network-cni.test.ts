/** Networks of CNI plugins, those of Debian's package, in a network namespace of the test's own as the host's. */
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ask, HOST_V4, NetworkHost } from '../support/network-host.ts'
import { missing } from '../support/requires.ts'
import { until } from '../support/until.ts'

const PLUGINS = '/usr/lib/cni'
// Says what is wrong in the words of the specification, and that it was asked to take it back.
const BROKEN = `#!/bin/sh
[ $CNI_COMMAND = DEL ] && { touch "$0.deleted"; exit 0; }
echo '{"code": 7, "msg": "no luck today", "details": "the moon"}'; exit 1`

const STUBBORN = `#!/bin/sh
[ $CNI_COMMAND = ADD ] && { echo '{"cniVersion": "1.0.0"}'; exit 0; }
echo '{"code": 7, "msg": "mine"}'; exit 1`

describe.skipIf(
  missing('root', 'command:ip', 'command:iptables') || !existsSync(`${PLUGINS}/bridge`),
)('CNI networks', () => {
  let network: NetworkHost
  let folder: string
  let addresses: string

  const environment = (): string[] => [
    'env',
    `NETCONFPATH=${folder}`,
    `CNI_PATH=${folder}:${PLUGINS}`,
  ]
  const tsrun = (...args: string[]): string =>
    network.host.succeed([...environment(), ...network.engine.commandLine(args)])
  const failure = (...args: string[]): string => {
    const words = [...environment(), ...network.engine.commandLine(args)]
    return spawnSync('nsenter', [`--net=${network.host.path}`, '--', ...words], {
      encoding: 'utf8',
    }).stderr.trim()
  }
  const configure = (name: string, plugins: readonly object[]): void =>
    writeFileSync(
      join(folder, `${name}.conflist`),
      JSON.stringify({ cniVersion: '1.0.0', name, plugins }),
    )
  const bridge = (): object => ({
    ...{ type: 'bridge', bridge: 'cni-t0', isGateway: true, ipMasq: true, hairpinMode: true },
    ipam: {
      ...{ type: 'host-local', dataDir: addresses, routes: [{ dst: '0.0.0.0/0' }] },
      ranges: [[{ subnet: '10.240.0.0/24' }]],
    },
    dns: { nameservers: ['192.0.2.99'], search: ['example.net'] },
  })
  const portmap = { type: 'portmap', capabilities: { portMappings: true } }
  /** What is left: addresses given, veth pairs, rules about ports. */
  const left = (): string[] => [
    ...readdirSync(addresses, { recursive: true, encoding: 'utf8' }).filter((name) =>
      /\/10\./.test(name),
    ),
    ...(network.host.succeed(['ip', '-br', 'link']).match(/^veth\w+/gm) ?? []),
    ...(network.host.succeed(['iptables', '-t', 'nat', '-S']).match(/^.*--to-dest.*$/gm) ?? []),
  ]

  beforeAll(async () => {
    network = await NetworkHost.make()
    folder = join(network.engine.directory, 'cni')
    addresses = join(folder, 'addresses')
    mkdirSync(addresses, { recursive: true })
    configure('app', [bridge(), portmap])
    configure('plain', [bridge()])
    configure('bad', [bridge(), { type: 'broken' }])
    configure('none', [{ type: 'no-such-plugin' }])
    configure('stubborn', [{ type: 'stubborn' }])
    for (const [name, text] of Object.entries({ broken: BROKEN, stubborn: STUBBORN })) {
      writeFileSync(join(folder, name), text)
      chmodSync(join(folder, name), 0o755)
    }
  })

  afterAll(() => {
    network?.[Symbol.dispose]()
  })

  it('give addresses, names and ports, and take all of it back', async () => {
    const script = 'ip -o -4 addr show eth0; ip route; cat /etc/hosts /etc/resolv.conf'
    const options = ['--network', 'cni:app', '--hostname', 'me']
    const text = tsrun('run', '--rm', ...options, 'busybox', 'sh', '-c', script)
    const own = /inet (10\.240\.0\.\d+)\/24/.exec(text)?.[1] ?? ''
    expect(text).toContain('default via 10.240.0.1 dev eth0')
    expect(text).toContain(`${own}\tme\n`)
    expect(text).toContain('nameserver 192.0.2.99\nsearch example.net')
    expect(left()).toEqual([])

    const server = ['sh', '-c', 'while true; do echo "I am web" | nc -l -p 80; done']
    tsrun(
      'run',
      '-d',
      '--name',
      'web',
      '--network',
      'cni:app',
      '-p',
      '8080:80',
      'busybox',
      ...server,
    )
    await network.listens('web')
    expect(network.script('outside', ask(HOST_V4, 8080))).toBe('I am web')
    expect(network.tsrun('port', 'web')).toContain('80/tcp -> 0.0.0.0:8080')
    expect(
      failure('run', '--rm', '--network', 'cni:app', '-p', '8080:80', 'busybox', 'true'),
    ).toContain('cannot publish port 8080/tcp: the container "web" has it')
    expect(failure('run', '--rm', '-p', '8080:80', 'busybox', 'true')).toContain(
      'cannot publish port 8080/tcp: the container "web" has it',
    )
    tsrun('restart', '-t', '0', 'web')
    await network.listens('web')
    expect(network.script('outside', ask(HOST_V4, 8080))).toBe('I am web')
    network.tsrun('rm', '-f', 'web')
    await until('the pair of links is gone', () => left().length === 0)
  })

  it('are left by the next command after kill -9 of the monitor', async () => {
    const id = tsrun('run', '-d', '--network', 'cni:app', 'busybox', 'sleep', '1000').trim()
    const path = join(network.engine.dataRoot, 'containers', id, 'container.json')
    const { pid, monitorPid } = JSON.parse(readFileSync(path, 'utf8')).state
    process.kill(monitorPid, 'SIGKILL')
    process.kill(pid, 'SIGKILL')
    network.tsrun('rm', '-f', id)
    await until('the pair of links is gone', () => left().length === 0)
  })

  it('say what a plugin says, and leave nothing', async () => {
    const run = (...args: string[]): string => failure('run', '--rm', ...args, 'busybox', 'true')
    expect(run('--network', 'cni:bad')).toContain(
      'cannot put the container into the CNI network "bad": the CNI plugin "broken" failed: no luck today: the moon',
    )
    expect(readdirSync(folder)).toContain('broken.deleted')
    expect(readdirSync(join(addresses, 'bad')).filter((name) => name.startsWith('10.'))).toEqual([])
    expect(run('--network', 'cni:plain', '-p', '80')).toContain(
      'cannot publish ports from the CNI network "plain": none of its plugins has the capability portMappings',
    )
    expect(run('--network', 'cni:none')).toContain(
      'cannot run the CNI plugin "no-such-plugin": it is in none of',
    )
    expect(run('--network', 'cni:nowhere')).toMatch(
      /cannot find the CNI network "nowhere": .*; hint: there are app, bad, none, plain, stubborn/,
    )
    // Said once, and in nobody's way after that.
    expect(run('--network', 'cni:stubborn')).toContain(
      'cannot take the container out of the CNI network "stubborn": the CNI plugin "stubborn" failed: mine',
    )
    await until('no container is left', () => network.tsrun('ps', '-aq') === '')
    expect(left()).toEqual([])
  })
})
