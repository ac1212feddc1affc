/** What every driver does in the container's namespace: addresses, the link up, default routes. */
import { setLinkUp } from '../linux/rtnetlink.ts'
import { askKernelAll, linkIndexOf } from '../native/netlink-socket.ts'
import { contains, parseAddress, parseSubnet } from './ip-address.ts'
import { addDefaultRoute, assignAddress } from './netlink-codec.ts'
import type { NetworkInside } from './network-driver.ts'
import type { Lease, NetworkRecord } from './network-record.ts'

/** Gives the interface, which was just made, what the lease says. */
export function configureInside(network: NetworkRecord, lease: Lease, inside: NetworkInside): void {
  const index = linkIndexOf(inside.socket, inside.interface)
  if (index === undefined) throw new RangeError(`${inside.interface} was just made`)
  const requests = network.subnets.flatMap(({ subnet, gateway }) => {
    const parsed = parseSubnet(subnet)
    const own = parsed?.address.family === 4 ? lease.ipv4 : lease.ipv6
    const address = own === undefined ? undefined : parseAddress(own)
    if (parsed === undefined || address === undefined || !contains(parsed, address)) return []
    const by = gateway === undefined ? undefined : parseAddress(gateway)
    const leads = inside.isDefault && !network.internal && by !== undefined
    return [
      assignAddress(index, address, parsed.prefix),
      ...(leads ? [addDefaultRoute(index, by)] : []),
    ]
  })
  // Routes need it up; it could not be made so: veth_open() wants a peer, which it gets after that.
  const all = [setLinkUp(index), ...requests]
  askKernelAll(inside.socket, all, () => `configuring ${inside.interface}`)
}
