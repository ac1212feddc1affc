/** Questions to the kernel about links and routes of this network namespace, or of another by its socket. */
import { SyscallError } from '../errors.ts'
import { askKernel, openRouteSocket } from '../native/netlink-socket.ts'
import type { TakenSubnet } from './choose-subnet.ts'
import {
  decodeLinkDetails,
  decodeRoute,
  deleteLink,
  dumpRoutes,
  getLink,
  type LinkDetails,
  type Route,
} from './netlink-codec.ts'

/** The link of this name, undefined when there is none. */
export function findLink(socket: number, name: string): LinkDetails | undefined {
  try {
    const answer = askKernel(socket, getLink(name), `looking for the interface ${name}`)
    return answer.flatMap((message) => decodeLinkDetails(message) ?? [])[0]
  } catch (error) {
    if (error instanceof SyscallError && error.code === 'ENODEV') return undefined
    throw error
  }
}

/** Deletes the link of this name; none is no error. */
export function removeLink(socket: number, name: string): void {
  try {
    askKernel(socket, deleteLink(name), `deleting the interface ${name}`)
  } catch (error) {
    // Its other end may have gone with its namespace.
    if (!(error instanceof SyscallError && error.code === 'ENODEV')) throw error
  }
}

export function routesOf(socket: number, family: 4 | 6): readonly Route[] {
  try {
    const answer = askKernel(socket, dumpRoutes(family), 'listing routes')
    return answer.flatMap((message) => decodeRoute(message) ?? [])
  } catch (error) {
    // A kernel without IPv6.
    if (error instanceof SyscallError && error.code === 'EOPNOTSUPP') return []
    throw error
  }
}

/** The subnets that the host has routes for. */
export function routedSubnets(): readonly TakenSubnet[] {
  using socket = openRouteSocket()
  return ([4, 6] as const).flatMap((family) =>
    routesOf(socket.fd, family).flatMap(({ destination, interfaceIndex }) =>
      destination === undefined
        ? []
        : [{ subnet: destination, by: `a route of the host (interface ${interfaceIndex})` }],
    ),
  )
}
