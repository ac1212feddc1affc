/** Networks on a bridge of the host, a veth pair for each container (bridge(8), veth(4)). */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { errnoCodeOf, SyscallError, TsrunError } from '../errors.ts'
import { askKernel, askKernelAll, linkIndexOf, openRouteSocket } from '../native/netlink-socket.ts'
import { configureInside } from './configure-inside.ts'
import type { Firewall, GuardedBridge, SetChange } from './firewall.ts'
import { overlaps, parseAddress, parseSubnet } from './ip-address.ts'
import { findLink, removeLink, routesOf } from './links.ts'
import {
  assignAddress,
  type LinkDetails,
  newBridge,
  newVeth,
  setHairpin,
  setLinkUpAs,
} from './netlink-codec.ts'
import type { NetworkDriver, NetworkInside } from './network-driver.ts'
import type { Lease, NetworkRecord } from './network-record.ts'
import { publishedElements } from './published-elements.ts'

/** All networks with their leases: what the firewall must say, should it have lost everything. */
export type KnownNetworks = () => readonly {
  readonly network: NetworkRecord
  readonly leases: readonly Lease[]
}[]

export class BridgeDriver implements NetworkDriver {
  readonly publishes = true
  readonly #firewall: Firewall
  readonly #known: KnownNetworks

  constructor(firewall: Firewall, known: KnownNetworks) {
    this.#firewall = firewall
    this.#known = known
  }

  isReady(network: NetworkRecord): boolean {
    using host = openRouteSocket()
    const link = findLink(host.fd, network.interface)
    return link !== undefined && isOurs(network, link) && this.#firewall.guards(network.interface)
  }

  prepare(network: NetworkRecord): void {
    using host = openRouteSocket()
    const link = findLink(host.fd, network.interface)
    if (link === undefined) makeBridge(host.fd, network)
    else refuseForeign(network, link)
    setSysctls(network)
    const known = this.#known().filter(({ network: { driver } }) => driver === 'bridge')
    this.#firewall.replace(
      known.map((entry) => guarded(entry.network)),
      mergeChanges(known.flatMap(({ leases }) => leases.flatMap(publishedElements))),
    )
  }

  publish(network: NetworkRecord, lease: Lease): void {
    this.#firewall.add(publishedElements(lease))
    // 127.0.0.1 leads to published ports. Only now: the table keeps the network from what else listens there.
    setSysctl(`ipv4/conf/${network.interface}/route_localnet`, '1')
    using host = openRouteSocket()
    letReturn(host.fd, lease.hostInterface)
  }

  attach(network: NetworkRecord, lease: Lease, inside: NetworkInside): void {
    using host = openRouteSocket()
    const bridge = linkIndexOf(host.fd, network.interface)
    if (bridge === undefined)
      throw new TsrunError(
        'failed-precondition',
        `cannot use the network "${network.name}": its bridge ${network.interface} is gone`,
      )
    makeVeth(host.fd, network, lease, inside, bridge)
    configureInside(network, lease, inside)
    if (lease.ports.length > 0) letReturn(host.fd, lease.hostInterface)
  }

  detach(_network: NetworkRecord, lease: Lease): void {
    this.#firewall.delete(publishedElements(lease))
    using host = openRouteSocket()
    removeLink(host.fd, lease.hostInterface)
  }

  remove(network: NetworkRecord): void {
    using host = openRouteSocket()
    const link = findLink(host.fd, network.interface)
    // A bridge that somebody else has made meanwhile is theirs.
    if (link !== undefined && isOurs(network, link)) removeLink(host.fd, network.interface)
    const others = this.#known().filter(
      (entry) => entry.network.driver === 'bridge' && entry.network.id !== network.id,
    )
    if (others.length === 0) this.#firewall.remove()
    else
      this.#firewall.replace(
        others.map((entry) => guarded(entry.network)),
        mergeChanges(others.flatMap(({ leases }) => leases.flatMap(publishedElements))),
      )
  }
}

function guarded({ interface: name, internal, options, subnets }: NetworkRecord): GuardedBridge {
  return {
    subnets: subnets.flatMap(({ subnet }) => parseSubnet(subnet) ?? []),
    name,
    internal,
    masquerade: options['com.docker.network.bridge.enable_ip_masquerade'] !== 'false',
  }
}

function mergeChanges(changes: readonly SetChange[]): readonly SetChange[] {
  const bySet = new Map<SetChange['set'], SetChange['elements'][number][]>()
  for (const { set, elements } of changes) bySet.set(set, [...(bySet.get(set) ?? []), ...elements])
  return [...bySet].map(([set, elements]) => ({ set, elements }))
}

function aliasOf({ id }: NetworkRecord): string {
  return `tsrun network ${id}`
}

function isOurs(network: NetworkRecord, link: LinkDetails): boolean {
  return link.kind === 'bridge' && link.alias === aliasOf(network)
}

function refuseForeign(network: NetworkRecord, link: LinkDetails): void {
  if (isOurs(network, link)) return
  throw new TsrunError(
    'failed-precondition',
    `cannot use the network "${network.name}": the host has an interface ${network.interface} that is not tsrun's`,
    { hint: `rename or remove it (ip link delete ${network.interface})` },
  )
}

function makeBridge(host: number, network: NetworkRecord): void {
  refuseRouted(host, network)
  const what = `making the bridge ${network.interface}`
  try {
    askKernel(host, newBridge({ name: network.interface, mac: bridgeMac(network) }), what)
  } catch (error) {
    if (!(error instanceof SyscallError && error.code === 'EOPNOTSUPP')) throw error
    throw new TsrunError('unavailable', `cannot make the network "${network.name}"`, {
      cause: error,
      hint: 'the kernel has no bridges (modprobe bridge veth): use --network none or host',
    })
  }
  const link = findLink(host, network.interface)
  if (link === undefined) throw new RangeError('the bridge was just made')
  const requests = network.subnets.flatMap(({ subnet, gateway }) => {
    const address = gateway === undefined ? undefined : parseAddress(gateway)
    const prefix = parseSubnet(subnet)?.prefix
    if (address === undefined || prefix === undefined) return []
    return [assignAddress(link.index, address, prefix)]
  })
  try {
    askKernelAll(host, [...requests, setLinkUpAs(link.index, aliasOf(network))], () => what)
  } catch (error) {
    // Without its alias nobody would know it for ours.
    using again = openRouteSocket()
    removeLink(again.fd, network.interface)
    throw error
  }
}

/** The host may have come to a route since the network was made: a VPN, another engine. */
function refuseRouted(host: number, network: NetworkRecord): void {
  for (const { subnet } of network.subnets) {
    const parsed = parseSubnet(subnet)
    const family = parsed?.address.family
    if (parsed === undefined || family === undefined) continue
    const conflict = routesOf(host, family).find(
      ({ destination }) =>
        destination !== undefined && destination.prefix > 1 && overlaps(destination, parsed),
    )
    if (conflict === undefined) continue
    throw new TsrunError(
      'failed-precondition',
      `cannot make the bridge of the network "${network.name}": the host has a route that overlaps ${subnet}`,
      { hint: 'see ip route; remove the network and make it again with another --subnet' },
    )
  }
}

function makeVeth(
  host: number,
  network: NetworkRecord,
  lease: Lease,
  inside: NetworkInside,
  bridge: number,
): void {
  const mtu = network.mtu === undefined ? {} : { mtu: network.mtu }
  const request = newVeth(
    { name: lease.hostInterface, ...mtu },
    { name: inside.interface, mac: lease.mac, namespace: inside.namespace, ...mtu },
    bridge,
  )
  const what = `making the veth pair ${lease.hostInterface}`
  try {
    askKernel(host, request, what)
  } catch (error) {
    if (!(error instanceof SyscallError && error.code === 'EEXIST')) throw error
    // Left by a tsrun that was killed, whose namespace the kernel has not yet taken away.
    removeLink(host, lease.hostInterface)
    askKernel(host, request, what)
  }
}

function letReturn(host: number, port: string): void {
  const index = linkIndexOf(host, port)
  if (index !== undefined) askKernel(host, setHairpin(index), `setting up ${port}`)
}

/** Stable, so that the bridge does not take the lowest address of its ports. */
function bridgeMac({ id }: NetworkRecord): string {
  return `02:42:${(id.slice(0, 8).match(/../g) ?? []).join(':')}`
}

function setSysctls(network: NetworkRecord): void {
  // A container must not become the host's router (CVE-2020-13401).
  if (readSysctl(`ipv6/conf/${network.interface}/accept_ra`) !== undefined)
    setSysctl(`ipv6/conf/${network.interface}/accept_ra`, '0')
  if (network.internal) return
  setSysctl('ipv4/ip_forward', '1')
  const hasV6 = network.subnets.some(({ subnet }) => subnet.includes(':'))
  if (!hasV6) return
  // A host that forwards ignores router advertisements, which may be where its own default route comes from: its
  // interfaces go on listening (accept_ra 2).
  for (const name of readdirSync('/proc/sys/net/ipv6/conf')) {
    if (readSysctl(`ipv6/conf/${name}/accept_ra`) === '1' && name !== 'all' && name !== 'default')
      setSysctl(`ipv6/conf/${name}/accept_ra`, '2')
  }
  setSysctl('ipv6/conf/all/forwarding', '1')
}

function setSysctl(name: string, value: string): void {
  if (readSysctl(name) === value) return
  try {
    writeFileSync(`/proc/sys/net/${name}`, value)
  } catch (cause) {
    throw new TsrunError('failed-precondition', `cannot set net/${name} to ${value}`, {
      cause,
      hint: `run sysctl -w net/${name}=${value}, or use --network none or host`,
    })
  }
}

function readSysctl(name: string): string | undefined {
  try {
    return readFileSync(`/proc/sys/net/${name}`, 'utf8').trim()
  } catch (error) {
    if (errnoCodeOf(error) === 'ENOENT') return undefined
    throw error
  }
}
