/** What pasta and slirp4netns are started with. */
import { describe, expect, it } from 'vitest'
import type { PortMapping } from '../../../../src/network/network-record.ts'
import { problemIn } from '../../../../src/network/user-mode/slirp-socket.ts'
import {
  parseUserMode,
  USER_MODE_PROGRAMS,
} from '../../../../src/network/user-mode/user-mode-program.ts'

const { pasta, slirp4netns } = USER_MODE_PROGRAMS
const PORTS: readonly PortMapping[] = [
  { protocol: 'tcp', hostIp: '', hostPort: 8080, containerPort: 80 },
  { protocol: 'tcp', hostIp: '::1', hostPort: 8081, containerPort: 80 },
]

/** The words behind `flag`. */
function behind(args: readonly string[], flag: string): readonly (string | undefined)[] {
  return args.flatMap((arg, i) => (arg === flag ? [args[i + 1]] : []))
}

describe('parseUserMode()', () => {
  it.each([
    ['pasta', { program: 'pasta', options: [] }],
    ['pasta:', { program: 'pasta', options: [] }],
    ['pasta:-a,2001:db8::1', { program: 'pasta', options: ['-a', '2001:db8::1'] }],
    ['slirp4netns:mtu=1500', { program: 'slirp4netns', options: ['mtu=1500'] }],
    ['pastas', undefined],
    ['bridge', undefined],
  ])('reads %s', (text, mode) => {
    expect(parseUserMode(text)).toEqual(mode)
  })
})

describe('pasta', () => {
  it('listens on the published ports alone, and keeps the host’s loopback interface to the host', () => {
    const { args } = pasta.command([], PORTS)
    expect(behind(args, '-t')).toEqual(['8080:80', '::1/8081:80'])
    for (const flag of ['-u', '-T', '-U']) expect(behind(args, flag)).toEqual(['none'])
    expect(args).toContain('--no-map-gw')
  })

  it('lets the user’s options take the place of ours', () => {
    const { args, nameServer } = pasta.command(['-T', '5432', '--dns-forward=10.0.0.3'], [])
    expect(behind(args, '-T')).toEqual(['5432'])
    expect(nameServer).toBe('10.0.0.3')
    expect(args.filter((arg) => arg.startsWith('--dns-forward'))).toEqual([
      '--dns-forward=10.0.0.3',
    ])
    expect(pasta.command(['--map-gw'], []).args).not.toContain('--no-map-gw')
    expect(pasta.command(['--map-gw'], []).args).not.toContain('--map-gw')
  })

  it.each(['--netns', '-f', '--pid=/x', '--runas'])('refuses %s', (option) => {
    expect(() => pasta.command([option], [])).toThrow(`cannot give pasta the option "${option}"`)
  })
})

describe('slirp4netns', () => {
  it('counts its addresses from the subnet', () => {
    const command = slirp4netns.command(['cidr=10.9.0.0/24'], [])
    expect(command).toMatchObject({ address: '10.9.0.100', nameServer: '10.9.0.3' })
    expect(command.args).toContain('--cidr=10.9.0.0/24')
  })

  it('keeps the host’s loopback interface to the host unless told otherwise', () => {
    expect(slirp4netns.command([], []).args).toContain('--disable-host-loopback')
    const { args, reachesHost } = slirp4netns.command(['allow_host_loopback=true'], [])
    expect(args).not.toContain('--disable-host-loopback')
    expect(reachesHost).toBe(true)
  })

  it.each(['cidr=10.0.0.0/30', 'cidr=x', 'port_handler=rootlesskit', 'api-socket=/x', '-a', 'mtu'])(
    'refuses %s',
    (option) => {
      expect(() => slirp4netns.command([option], [])).toThrow(
        `cannot give slirp4netns the option "${option}"`,
      )
    },
  )
})

describe('problemIn()', () => {
  it.each([
    ['{"return": {"id": 1}}', undefined],
    ['{"error": {"desc": "bad request: add_hostfwd: slirp_add_hostfwd failed"}}', /slirp_add/],
    ['{"error": "no"}', 'no'],
    ['', 'it gave no answer'],
    ['null', 'it gave no answer'],
    ['{"error": {', 'it gave no answer'],
  ])('reads %s', (answer, problem) => {
    if (problem instanceof RegExp) expect(problemIn(answer)).toMatch(problem)
    else expect(problemIn(answer)).toBe(problem)
  })
})
