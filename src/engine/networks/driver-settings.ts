/** What a new network's driver makes of its options: the interface on the host, and the MTU. */
import { TsrunError } from '../../errors.ts'
import { linkIndexOf, openRouteSocket } from '../../native/netlink-socket.ts'
import { DEFAULT_MACVLAN_MODE, MACVLAN_MODE } from '../../network/macvlan-driver.ts'
import { MACVLAN_MODES } from '../../network/netlink-codec.ts'
import type { NetworkRecord } from '../../network/network-record.ts'
import type { NetworkRequest } from './create-network.ts'

const MTU = 'com.docker.network.driver.mtu'
/** Names the bridge on the host. */
export const BRIDGE_NAME = 'com.docker.network.bridge.name'
const MASQUERADE = 'com.docker.network.bridge.enable_ip_masquerade'
const COMMON = [MTU, 'mtu']

/** Throws `invalid-argument` for options that the driver has not, `not-implemented` for another driver. */
export function driverSettings(
  all: readonly NetworkRecord[],
  request: NetworkRequest,
  id: string,
): Pick<NetworkRecord, 'driver' | 'interface' | 'mtu'> {
  const { name, driver, options } = request
  if (driver === 'macvlan') return { driver, interface: parentOf(request), ...mtuOf(options) }
  if (driver !== 'bridge')
    throw new TsrunError(
      'not-implemented',
      `cannot make the network "${name}": this tsrun has no driver "${driver}"`,
      { hint: 'it has bridge and macvlan' },
    )
  checkOptions(request, [...COMMON, BRIDGE_NAME, MASQUERADE])
  const bridge = options[BRIDGE_NAME] ?? `br-${id.slice(0, 12)}`
  return { driver, interface: bridgeOf(all, bridge), ...mtuOf(options) }
}

function parentOf(request: NetworkRequest): string {
  const { name, options, subnets } = request
  checkOptions(request, [...COMMON, 'parent', MACVLAN_MODE])
  const { parent = '', [MACVLAN_MODE]: mode = DEFAULT_MACVLAN_MODE } = options
  if (!Object.hasOwn(MACVLAN_MODES, mode))
    throw invalid(name, `"${mode}" is none of the modes ${Object.keys(MACVLAN_MODES).join(', ')}`)
  if (parent === '')
    throw invalid(name, `the driver macvlan needs an interface of the host`, '-o parent=INTERFACE')
  using host = openRouteSocket()
  if (linkIndexOf(host.fd, parent) === undefined)
    throw invalid(name, `the host has no interface "${parent}"`, 'ip link lists them')
  // Containers are guests there: which addresses are free, only the user knows.
  if (subnets.length === 0)
    throw invalid(
      name,
      `the driver macvlan needs the subnet behind ${parent}`,
      '--subnet, and --ip-range for what no DHCP server of that subnet gives to others',
    )
  return parent
}

function checkOptions({ name, driver, options }: NetworkRequest, known: readonly string[]): void {
  const unknown = Object.keys(options).find((key) => !known.includes(key))
  if (unknown === undefined) return
  throw invalid(
    name,
    `the driver ${driver} has no option "${unknown}"`,
    `it has ${known.join(', ')}`,
  )
}

function mtuOf(options: NetworkRequest['options']): { readonly mtu?: number } {
  const text = options[MTU] ?? options.mtu
  if (text === undefined) return {}
  const mtu = /^\d{1,5}$/.test(text) ? Number(text) : 0
  // RFC 791's least for IPv4; the most that a veth takes (ETH_MAX_MTU).
  if (mtu >= 68 && mtu <= 65_535) return { mtu }
  throw new TsrunError('invalid-argument', `cannot use the MTU "${text}": it is from 68 to 65535`)
}

function bridgeOf(all: readonly NetworkRecord[], name: string): string {
  const owner = all.find((other) => other.interface === name)
  // dev_valid_name() of the kernel, and no name that a path or a pattern reads otherwise.
  const isValid = /^[a-zA-Z0-9_.-]{1,15}$/.test(name) && name !== '.' && name !== '..'
  if (isValid && owner === undefined) return name
  throw new TsrunError(
    'invalid-argument',
    `cannot use the bridge name "${name}": ${
      owner === undefined
        ? 'it must be at most 15 letters, digits, "_", "." and "-"'
        : `the network "${owner.name}" has it`
    }`,
  )
}

function invalid(name: string, why: string, hint?: string): TsrunError {
  return new TsrunError('invalid-argument', `cannot make the network "${name}": ${why}`, {
    ...(hint === undefined ? {} : { hint }),
  })
}
