/**
 * Networks of links that stand on an interface of the host (macvlan): containers are neighbours of whatever
 * is behind that interface, with addresses of their own there. The host itself is none of theirs.
 */
import { SyscallError, TsrunError } from '../errors.ts'
import { askKernel, linkIndexOf, openRouteSocket } from '../native/netlink-socket.ts'
import { configureInside } from './configure-inside.ts'
import { newMacvlan } from './netlink-codec.ts'
import type { NetworkDriver, NetworkInside } from './network-driver.ts'
import type { Lease, NetworkRecord } from './network-record.ts'

/** The option of the network that has the mode, as docker calls it. */
export const MACVLAN_MODE = 'macvlan_mode'
export const DEFAULT_MACVLAN_MODE = 'bridge'

export class MacvlanDriver implements NetworkDriver {
  readonly publishes = false

  isReady(network: NetworkRecord): boolean {
    using host = openRouteSocket()
    return linkIndexOf(host.fd, network.interface) !== undefined
  }

  prepare(network: NetworkRecord): void {
    if (this.isReady(network)) return
    throw new TsrunError(
      'failed-precondition',
      `cannot use the network "${network.name}": the host has no interface ${network.interface} any more`,
      { hint: 'make it again, or the network with another parent' },
    )
  }

  publish(_network: NetworkRecord, { ipv4, ipv6 }: Lease): void {
    throw new TsrunError(
      'invalid-argument',
      'cannot publish ports from a network of the driver macvlan',
      { hint: `the container has an address of its own, ${ipv4 ?? ipv6}: leave -p out` },
    )
  }

  attach(network: NetworkRecord, lease: Lease, inside: NetworkInside): void {
    using host = openRouteSocket()
    const parent = linkIndexOf(host.fd, network.interface)
    if (parent === undefined) {
      this.prepare(network)
      return
    }
    const mode = network.options[MACVLAN_MODE] ?? DEFAULT_MACVLAN_MODE
    const link = {
      name: inside.interface,
      mac: lease.mac,
      parent,
      namespace: inside.namespace,
      ...(network.mtu === undefined ? {} : { mtu: network.mtu }),
    }
    try {
      askKernel(host.fd, newMacvlan(link, mode), `making the macvlan on ${network.interface}`)
    } catch (error) {
      throw explain(network, error)
    }
    configureInside(network, lease, inside)
  }

  // The link is in the container's namespace alone, and goes with that.
  detach(): void {}

  // The parent is the host's.
  remove(): void {}
}

function explain({ interface: parent }: NetworkRecord, error: unknown): unknown {
  if (!(error instanceof SyscallError)) return error
  const hint = HINTS[error.code]?.(parent)
  if (hint === undefined) return error
  return new TsrunError('failed-precondition', `cannot make a macvlan on ${parent}`, {
    cause: error,
    hint,
  })
}

const HINTS: Readonly<Record<string, (parent: string) => string>> = {
  EOPNOTSUPP: () => 'the kernel has no macvlan (modprobe macvlan)',
  EBUSY: (parent) => `${parent} belongs to a bridge, or has a link in mode passthru on it already`,
  EINVAL: (parent) => `${parent} is no interface that this can stand on, such as an Ethernet card`,
  EADDRINUSE: (parent) => `another link on ${parent} has this address already`,
}
