/** slirp4netns(1): the container has an address of a network that is only inside of it; ports are added by its socket. */
import { TsrunError } from '../../errors.ts'
import { addressAt, formatAddress, parseSubnet } from '../ip-address.ts'
import type { UserModeCommand, UserModeProgram } from './user-mode-program.ts'

export const SLIRP4NETNS: UserModeProgram = {
  name: 'slirp4netns',
  package: 'slirp4netns',
  protocols: ['tcp', 'udp'],
  publishesV6: false,
  command,
}

const SOCKET = 'slirp4netns.sock'
const DEFAULT_CIDR = '10.0.2.0/24'
/** The largest that it takes: each packet costs it two system calls. */
const MTU = '65520'

/** As podman's options of this name. */
const OPTIONS = [
  'allow_host_loopback',
  'cidr',
  'enable_ipv6',
  'mtu',
  'outbound_addr',
  'port_handler',
]

function command(options: readonly string[]): UserModeCommand {
  const values = new Map(options.map(parseOption))
  const isTrue = (name: string): boolean => values.get(name) === 'true'
  const subnet = parseSubnet(values.get('cidr') ?? DEFAULT_CIDR)
  if (subnet?.address.family !== 4 || subnet.prefix > 25)
    throw refused(
      `cidr=${values.get('cidr')}`,
      'it must be a subnet of IPv4 of at least 128 addresses',
    )
  const handler = values.get('port_handler') ?? 'slirp4netns'
  if (handler !== 'slirp4netns')
    throw refused(`port_handler=${handler}`, 'ports are published by slirp4netns itself')
  const reachesHost = isTrue('allow_host_loopback')
  const outbound = values.get('outbound_addr')
  return {
    args: [
      ...['--configure', '--ready-fd=3', `--mtu=${values.get('mtu') ?? MTU}`],
      ...['--api-socket', SOCKET, '--enable-sandbox', '--enable-seccomp'],
      ...(values.has('cidr') ? [`--cidr=${values.get('cidr')}`] : []),
      ...(isTrue('enable_ipv6') ? ['--enable-ipv6'] : []),
      ...(reachesHost ? [] : ['--disable-host-loopback']),
      ...(outbound === undefined ? [] : [`--outbound-addr=${outbound}`]),
      ...['--netns-type=path', '/proc/self/fd/0', 'eth0'],
    ],
    readyOn: 3,
    nameServer: formatAddress(addressAt(subnet, 3n)),
    reachesHost,
    socket: SOCKET,
    address: formatAddress(addressAt(subnet, 100n)),
  }
}

function parseOption(text: string): readonly [string, string] {
  const [name = '', ...rest] = text.split('=')
  if (!OPTIONS.includes(name)) throw refused(text, `it has ${OPTIONS.join(', ')}`)
  if (rest.length === 0) throw refused(text, 'it has the form name=value')
  return [name, rest.join('=')]
}

function refused(option: string, why: string): TsrunError {
  return new TsrunError(
    'invalid-argument',
    `cannot give slirp4netns the option "${option}": ${why}`,
  )
}
