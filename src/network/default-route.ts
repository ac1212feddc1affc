/** The default routes of a container that has joined or left networks while it runs. */
import { askKernelAll } from '../native/netlink-socket.ts'
import { parseAddress } from './ip-address.ts'
import { findLink, routesOf } from './links.ts'
import { addDefaultRoute } from './netlink-codec.ts'
import type { Lease, NetworkRecord } from './network-record.ts'

/** Whether the namespace of the rtnetlink socket has a way out. */
export function hasDefaultRoute(socket: number): boolean {
  return ([4, 6] as const).some((family) =>
    routesOf(socket, family).some(({ destination }) => destination === undefined),
  )
}

/** Leads the default routes through a network that the container is in already. */
export function leadOut(socket: number, network: NetworkRecord, lease: Lease): void {
  const link = findLink(socket, lease.interface ?? 'eth0')
  if (link === undefined) return
  const requests = network.subnets.flatMap(({ gateway }) => {
    const by = gateway === undefined ? undefined : parseAddress(gateway)
    const own = by?.family === 4 ? lease.ipv4 : lease.ipv6
    return by === undefined || own === undefined ? [] : [addDefaultRoute(link.index, by)]
  })
  if (requests.length > 0) askKernelAll(socket, requests, () => 'adding a default route')
}
