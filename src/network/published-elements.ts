/** What nf_tables must know so that published ports lead to a container. */
import type { SetChange } from './firewall.ts'
import { type Address, parseAddress } from './ip-address.ts'
import type { Lease, PortMapping } from './network-record.ts'
import type { SetElement } from './nftables-codec.ts'

const PROTOCOLS = { tcp: 6, udp: 17, sctp: 132 } as const

/** The elements of the maps `publish*` for the ports of `lease`. */
export function publishedElements(lease: Lease): readonly SetChange[] {
  return lease.ports.flatMap((port) => [
    ...elementsOf(port, lease.ipv4),
    ...elementsOf(port, lease.ipv6),
  ])
}

function elementsOf(port: PortMapping, target: string | undefined): SetChange[] {
  const to = target === undefined ? undefined : parseAddress(target)
  const at = port.hostIp === '' ? undefined : parseAddress(port.hostIp)
  if (to === undefined || (at !== undefined && at.family !== to.family)) return []
  const any = at === undefined || isUnspecified(at)
  const set = `publish${to.family}${any ? 'any' : ''}` as const
  return [{ set, elements: [elementOf(port, any ? undefined : at, to)] }]
}

function elementOf(port: PortMapping, at: Address | undefined, to: Address): SetElement {
  return {
    key: Buffer.concat([
      at?.bytes ?? Buffer.alloc(0),
      Buffer.from([PROTOCOLS[port.protocol], 0, 0, 0]),
      portBytes(port.hostPort),
    ]),
    data: Buffer.concat([to.bytes, portBytes(port.containerPort)]),
  }
}

/** In network order, padded to a register. */
function portBytes(port: number): Buffer {
  return Buffer.from([port >> 8, port & 0xff, 0, 0])
}

function isUnspecified({ bytes }: Address): boolean {
  return bytes.every((byte) => byte === 0)
}
