/** linux.netDevices: moves network interfaces of the host into the container (config-linux.md "Network Devices"). */
import { constants, openSync } from 'node:fs'
import { errnoCodeOf, TsrunError } from '../errors.ts'
import {
  addAddress,
  decodeAddress,
  decodeLink,
  dumpAddresses,
  dumpLinks,
  type InterfaceAddress,
  isLasting,
  type Link,
  moveLink,
  setLinkUp,
} from '../linux/rtnetlink.ts'
import { askKernel, openRouteSocket } from '../native/netlink-socket.ts'
import { OwnedFd } from '../native/owned-fd.ts'
import type { RuntimeConfig } from '../oci/runtime-config.ts'

/**
 * Moves every device of `config` to the network namespace of `pid`; `inside` is an rtnetlink socket of that
 * namespace. Addresses that are permanent and global come along, and the device is up afterwards.
 * Devices moved before one that cannot be stay there: the kernel gives physical ones back with the namespace.
 */
export function moveNetDevices(pid: number, config: RuntimeConfig, inside: number): void {
  const devices = Object.entries(config.linux?.netDevices ?? {})
  if (devices.length === 0) return
  using host = openRouteSocket()
  using namespace = new OwnedFd(openSync(`/proc/${pid}/ns/net`, constants.O_RDONLY))
  for (const [name, { name: wanted = '' }] of devices) {
    try {
      moveDevice({ host: host.fd, inside, namespace: namespace.fd }, name, wanted)
    } catch (cause) {
      if (cause instanceof TsrunError) throw cause
      throw cannotMove(
        name,
        errnoCodeOf(cause) ?? String(cause),
        hintFor(errnoCodeOf(cause)),
        cause,
      )
    }
  }
}

interface Sockets {
  readonly host: number
  readonly inside: number
  readonly namespace: number
}

function moveDevice({ host, inside, namespace }: Sockets, name: string, wanted: string): void {
  const link = linksOf(host).find((candidate) => candidate.name === name)
  if (link === undefined)
    throw cannotMove(name, 'the host has no such interface', 'see ip link for those it has')
  const target = nameInside(name, wanted, new Set(linksOf(inside).map((other) => other.name)))
  // Before the move, which takes the interface down and its addresses away.
  const addresses = lastingAddresses(host, link.index)
  askKernel(host, moveLink(link.index, target, namespace), 'moving it')
  const moved = linksOf(inside).find((candidate) => candidate.name === target)
  if (moved === undefined) throw cannotMove(name, `it did not arrive as ${target}`)
  for (const address of addresses)
    askKernel(inside, addAddress(moved.index, address), 'adding its address')
  askKernel(inside, setLinkUp(moved.index), 'setting it up')
}

/** The name in the container: `wanted`, its `%d` replaced by the first free number, or the host's. */
export function nameInside(name: string, wanted: string, taken: ReadonlySet<string>): string {
  const target = wanted === '' ? name : wanted
  if (target.includes('%d')) {
    for (let number = 0; ; number++) {
      const candidate = target.replace('%d', String(number))
      if (!taken.has(candidate)) return candidate
    }
  }
  if (!taken.has(target)) return target
  throw cannotMove(
    name,
    `the container has an interface ${target} already`,
    `give linux.netDevices.${name}.name another value, or one that ends with %d`,
  )
}

function linksOf(socket: number): readonly Link[] {
  return askKernel(socket, dumpLinks(), 'listing interfaces').flatMap(
    (message) => decodeLink(message) ?? [],
  )
}

function lastingAddresses(socket: number, index: number): readonly InterfaceAddress[] {
  return askKernel(socket, dumpAddresses(), 'listing addresses')
    .flatMap((message) => decodeAddress(message) ?? [])
    .filter((address) => address.index === index && isLasting(address))
}

function cannotMove(name: string, detail: string, hint?: string, cause?: unknown): TsrunError {
  return new TsrunError(
    'failed-precondition',
    `cannot move the network device "${name}" into the container: ${detail}`,
    { ...(hint === undefined ? {} : { hint }), ...(cause === undefined ? {} : { cause }) },
  )
}

function hintFor(code: string | undefined): string | undefined {
  if (code === 'EPERM') return 'it needs CAP_NET_ADMIN on the host and in the container'
  // dev_change_net_namespace(): loopback, bridges and tunnels with NETIF_F_NETNS_LOCAL stay where they are.
  if (code === 'EINVAL')
    return 'the kernel moves no loopback, bridge or other device bound to its namespace'
  return undefined
}
