/** Messages of rtnetlink(7) for links and addresses: linux/rtnetlink.h, linux/if_addr.h. */
import {
  attribute,
  attributesOf,
  type NetlinkMessage,
  type NetlinkRequest,
  NLM_F_ACK,
  NLM_F_CREATE,
  NLM_F_DUMP,
  NLM_F_REPLACE,
  NLM_F_REQUEST,
} from './netlink-message.ts'

const LINK_SIZE = 16 // struct ifinfomsg: u8 family, u8, u16 type, i32 index, u32 flags, u32 change
const ADDRESS_SIZE = 8 // struct ifaddrmsg: u8 family, u8 prefixlen, u8 flags, u8 scope, u32 index

const RTM_NEWLINK = 16
const RTM_GETLINK = 18
const RTM_NEWADDR = 20
const RTM_GETADDR = 22
const IFLA_IFNAME = 3
const IFLA_NET_NS_FD = 28
const IFA_ADDRESS = 1
const IFA_LOCAL = 2
const IFA_BROADCAST = 4
const IFA_FLAGS = 8
const IFF_UP = 1
const IFA_F_PERMANENT = 0x80
const RT_SCOPE_UNIVERSE = 0

export interface Link {
  readonly index: number
  readonly name: string
}

/** An address of an interface, as much of it as another interface can take over. */
export interface InterfaceAddress {
  readonly index: number
  /** AF_INET or AF_INET6. */
  readonly family: number
  readonly prefixLength: number
  readonly scope: number
  /** IFA_F_*. */
  readonly flags: number
  /** IFA_ADDRESS, IFA_LOCAL and IFA_BROADCAST, where they are. */
  readonly attributes: ReadonlyMap<number, Buffer>
}

/** Every link of the socket's namespace. */
export function dumpLinks(): NetlinkRequest {
  return { type: RTM_GETLINK, flags: NLM_F_REQUEST | NLM_F_DUMP, payload: Buffer.alloc(LINK_SIZE) }
}

/** Every address of the socket's namespace. */
export function dumpAddresses(): NetlinkRequest {
  const payload = Buffer.alloc(ADDRESS_SIZE)
  return { type: RTM_GETADDR, flags: NLM_F_REQUEST | NLM_F_DUMP, payload }
}

/** Takes the link up. */
export function setLinkUp(index: number): NetlinkRequest {
  const payload = Buffer.alloc(LINK_SIZE)
  payload.writeInt32LE(index, 4)
  payload.writeUInt32LE(IFF_UP, 8)
  payload.writeUInt32LE(IFF_UP, 12)
  return { type: RTM_NEWLINK, flags: NLM_F_REQUEST | NLM_F_ACK, payload }
}

/** Moves the link to the network namespace behind the descriptor `namespace`, under the name `name`. */
export function moveLink(index: number, name: string, namespace: number): NetlinkRequest {
  const head = Buffer.alloc(LINK_SIZE)
  head.writeInt32LE(index, 4)
  const descriptor = Buffer.alloc(4)
  descriptor.writeUInt32LE(namespace)
  const payload = Buffer.concat([
    head,
    attribute(IFLA_IFNAME, Buffer.from(`${name}\0`)),
    attribute(IFLA_NET_NS_FD, descriptor),
  ])
  return { type: RTM_NEWLINK, flags: NLM_F_REQUEST | NLM_F_ACK, payload }
}

/** Gives the link `index` the address of another. */
export function addAddress(index: number, address: InterfaceAddress): NetlinkRequest {
  const head = Buffer.from([address.family, address.prefixLength, 0, address.scope, 0, 0, 0, 0])
  head.writeUInt32LE(index, 4)
  const flags = Buffer.alloc(4)
  flags.writeUInt32LE(address.flags)
  const payload = Buffer.concat([
    head,
    ...[...address.attributes].map(([type, value]) => attribute(type, value)),
    attribute(IFA_FLAGS, flags),
  ])
  const create = NLM_F_CREATE | NLM_F_REPLACE
  return { type: RTM_NEWADDR, flags: NLM_F_REQUEST | NLM_F_ACK | create, payload }
}

/** The link of an RTM_NEWLINK message. */
export function decodeLink({ type, payload }: NetlinkMessage): Link | undefined {
  if (type !== RTM_NEWLINK || payload.length < LINK_SIZE) return undefined
  const name = attributesOf(payload.subarray(LINK_SIZE)).get(IFLA_IFNAME)
  if (name === undefined) return undefined
  return { index: payload.readInt32LE(4), name: name.toString().replace(/\0.*$/s, '') }
}

/** The address of an RTM_NEWADDR message. */
export function decodeAddress({ type, payload }: NetlinkMessage): InterfaceAddress | undefined {
  if (type !== RTM_NEWADDR || payload.length < ADDRESS_SIZE) return undefined
  const attributes = attributesOf(payload.subarray(ADDRESS_SIZE))
  const flags = attributes.get(IFA_FLAGS)
  const kept = [IFA_ADDRESS, IFA_LOCAL, IFA_BROADCAST].flatMap((key) => {
    const value = attributes.get(key)
    return value === undefined ? [] : [[key, value] as const]
  })
  return {
    index: payload.readUInt32LE(4),
    family: payload.readUInt8(0),
    prefixLength: payload.readUInt8(1),
    scope: payload.readUInt8(3),
    // Bits above the eighth are in the attribute alone.
    flags: flags?.length === 4 ? flags.readUInt32LE(0) : payload.readUInt8(2),
    attributes: new Map(kept),
  }
}

/** Whether a runtime must keep the address: permanent and of global scope (config-linux.md "Network Devices"). */
export function isLasting({ flags, scope }: InterfaceAddress): boolean {
  return (flags & IFA_F_PERMANENT) !== 0 && scope === RT_SCOPE_UNIVERSE
}
