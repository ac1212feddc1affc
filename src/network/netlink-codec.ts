/** Requests of rtnetlink(7) for what networks are made of: bridges, veth pairs, addresses, routes. */
import {
  attribute,
  attributesOf,
  type NetlinkMessage,
  type NetlinkRequest,
  NLM_F_ACK,
  NLM_F_CREATE,
  NLM_F_DUMP,
  NLM_F_EXCL,
  NLM_F_REQUEST,
  nested,
  textAttribute,
  textOf,
  wordAttribute,
} from '../linux/netlink-message.ts'
import { type Address, addressFromBytes, type Subnet } from './ip-address.ts'

const LINK_SIZE = 16 // struct ifinfomsg: u8 family, u8, u16 type, i32 index, u32 flags, u32 change
const ROUTE_SIZE = 12 // struct rtmsg: u8 family, dst_len, src_len, tos, table, protocol, scope, type; u32 flags

const RTM_NEWLINK = 16
const RTM_DELLINK = 17
const RTM_GETLINK = 18
const RTM_NEWADDR = 20
const RTM_NEWROUTE = 24
const RTM_GETROUTE = 26
const AF_INET = 2
const AF_INET6 = 10
const IFLA_ADDRESS = 1
const IFLA_IFNAME = 3
const IFLA_MTU = 4
const IFLA_LINK = 5
const IFLA_MASTER = 10
const IFLA_LINKINFO = 18
const IFLA_NET_NS_FD = 28
const IFLA_IFALIAS = 20
const IFLA_INFO_KIND = 1
const IFLA_INFO_DATA = 2
const VETH_INFO_PEER = 1
const IFF_UP = 1
const IFA_ADDRESS = 1
const IFA_LOCAL = 2
const IFA_BROADCAST = 4
const IFA_FLAGS = 8
const IFA_F_NODAD = 2
const IFA_F_PERMANENT = 0x80
const RTA_DST = 1
const RTA_OIF = 4
const RTA_GATEWAY = 5
const RTA_TABLE = 15
const RT_TABLE_MAIN = 254
const RTPROT_STATIC = 4
const RTN_UNICAST = 1

/** A link as the kernel tells of it. */
export interface LinkDetails {
  readonly index: number
  readonly name: string
  /** `bridge`, `veth`, …; empty for a device of its own. */
  readonly kind: string
  readonly alias: string
  readonly mtu: number
  readonly mac: string
  readonly isUp: boolean
  /** Index of the bridge that it belongs to, 0 for none. */
  readonly master: number
}

/** A route of the main table. */
export interface Route {
  /** Undefined for a default route. */
  readonly destination: Subnet | undefined
  readonly gateway: Address | undefined
  readonly interfaceIndex: number
  readonly family: 4 | 6
}

export interface NewLink {
  readonly name: string
  /** Bytes `aa:bb:…`. */
  readonly mac?: string
  readonly mtu?: number
}

export interface VethEnd extends NewLink {
  /** Descriptor of the network namespace that the end is made in. */
  readonly namespace?: number
}

const CREATE = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL

/** A bridge without spanning tree: its ports forward at once. */
export function newBridge(link: NewLink): NetlinkRequest {
  return {
    type: RTM_NEWLINK,
    flags: CREATE,
    payload: Buffer.concat([linkHead(), ...linkAttributes(link), linkInfo('bridge')]),
  }
}

/** A pair of veth: `host` in this namespace, a port of the bridge with index `master`, up; `inside` is down. */
export function newVeth(host: NewLink, inside: VethEnd, master: number): NetlinkRequest {
  const peer = attribute(
    VETH_INFO_PEER,
    Buffer.concat([linkHead(), ...linkAttributes(inside), ...namespaceOf(inside)]),
  )
  const payload = Buffer.concat([
    linkHead(0, IFF_UP),
    ...linkAttributes(host),
    wordAttribute(IFLA_MASTER, master),
    linkInfo('veth', [peer]),
  ])
  return { type: RTM_NEWLINK, flags: CREATE, payload }
}

/** A link that stands on another one of this namespace, and is made in `namespace`. */
export interface ParentedLink extends VethEnd {
  /** Index of the other. */
  readonly parent: number
}

/** linux/if_link.h: enum macvlan_mode. */
export const MACVLAN_MODES: Readonly<Record<string, number>> = {
  private: 1,
  vepa: 2,
  bridge: 4,
  passthru: 8,
}

/** A link with an address of its own on the wire of another. */
export function newMacvlan(link: ParentedLink, mode: string): NetlinkRequest {
  const IFLA_MACVLAN_MODE = 1
  const payload = Buffer.concat([
    linkHead(),
    ...linkAttributes(link),
    ...namespaceOf(link),
    wordAttribute(IFLA_LINK, link.parent),
    linkInfo('macvlan', [wordAttribute(IFLA_MACVLAN_MODE, MACVLAN_MODES[mode] ?? 0)]),
  ])
  return { type: RTM_NEWLINK, flags: CREATE, payload }
}

/** Takes an existing link up and gives it the alias, which cannot be given when it is made. */
export function setLinkUpAs(index: number, alias: string): NetlinkRequest {
  const payload = Buffer.concat([
    linkHead(index, IFF_UP),
    attribute(IFLA_IFALIAS, Buffer.from(alias)),
  ])
  return { type: RTM_NEWLINK, flags: NLM_F_REQUEST | NLM_F_ACK, payload }
}

/** Lets the bridge send frames back by the port they came from: a container that calls its own published port. */
export function setHairpin(index: number): NetlinkRequest {
  const IFLA_INFO_SLAVE_KIND = 4
  const IFLA_INFO_SLAVE_DATA = 5
  const IFLA_BRPORT_MODE = 4
  const info = nested(IFLA_LINKINFO, [
    textAttribute(IFLA_INFO_SLAVE_KIND, 'bridge'),
    nested(IFLA_INFO_SLAVE_DATA, [attribute(IFLA_BRPORT_MODE, Buffer.from([1]))]),
  ])
  const payload = Buffer.concat([linkHead(index), info])
  return { type: RTM_NEWLINK, flags: NLM_F_REQUEST | NLM_F_ACK, payload }
}

/** Deletes the link of this name; the other end of a veth goes with it. */
export function deleteLink(name: string): NetlinkRequest {
  const payload = Buffer.concat([linkHead(), textAttribute(IFLA_IFNAME, name)])
  return { type: RTM_DELLINK, flags: NLM_F_REQUEST | NLM_F_ACK, payload }
}

/** Asks for one link by name; the kernel answers ENODEV when there is none. */
export function getLink(name: string): NetlinkRequest {
  const payload = Buffer.concat([linkHead(), textAttribute(IFLA_IFNAME, name)])
  // With NLM_F_ACK the answer has an end of its own, as that of a dump.
  return { type: RTM_GETLINK, flags: NLM_F_REQUEST | NLM_F_ACK, payload }
}

/** Gives the link an address; one of IPv6 without waiting for others to claim it (IFA_F_NODAD). */
export function assignAddress(index: number, address: Address, prefix: number): NetlinkRequest {
  const isV6 = address.family === 6
  const head = Buffer.from([isV6 ? AF_INET6 : AF_INET, prefix, 0, 0, 0, 0, 0, 0])
  head.writeUInt32LE(index, 4)
  const attributes = [
    attribute(IFA_LOCAL, address.bytes),
    attribute(IFA_ADDRESS, address.bytes),
    wordAttribute(IFA_FLAGS, IFA_F_PERMANENT | (isV6 ? IFA_F_NODAD : 0)),
  ]
  if (!isV6 && prefix < 31)
    attributes.push(attribute(IFA_BROADCAST, broadcastOf(address.bytes, prefix)))
  return { type: RTM_NEWADDR, flags: CREATE, payload: Buffer.concat([head, ...attributes]) }
}

/** A default route by `gateway` out of the link. */
export function addDefaultRoute(index: number, gateway: Address): NetlinkRequest {
  const family = gateway.family === 6 ? AF_INET6 : AF_INET
  const head = Buffer.from([
    family,
    0,
    0,
    0,
    RT_TABLE_MAIN,
    RTPROT_STATIC,
    0,
    RTN_UNICAST,
    0,
    0,
    0,
    0,
  ])
  const payload = Buffer.concat([
    head,
    attribute(RTA_GATEWAY, gateway.bytes),
    wordAttribute(RTA_OIF, index),
  ])
  return { type: RTM_NEWROUTE, flags: CREATE, payload }
}

export function dumpRoutes(family: 4 | 6): NetlinkRequest {
  const payload = Buffer.alloc(ROUTE_SIZE)
  payload.writeUInt8(family === 6 ? AF_INET6 : AF_INET)
  return { type: RTM_GETROUTE, flags: NLM_F_REQUEST | NLM_F_DUMP, payload }
}

/** The link of an RTM_NEWLINK message, undefined for anything else. */
export function decodeLinkDetails({ type, payload }: NetlinkMessage): LinkDetails | undefined {
  if (type !== RTM_NEWLINK || payload.length < LINK_SIZE) return undefined
  const attributes = attributesOf(payload.subarray(LINK_SIZE))
  const info = attributesOf(attributes.get(IFLA_LINKINFO) ?? Buffer.alloc(0))
  return {
    index: payload.readInt32LE(4),
    name: textOf(attributes.get(IFLA_IFNAME)),
    kind: textOf(info.get(IFLA_INFO_KIND)),
    alias: textOf(attributes.get(IFLA_IFALIAS)),
    mtu: wordOf(attributes.get(IFLA_MTU)),
    mac: formatMac(attributes.get(IFLA_ADDRESS) ?? Buffer.alloc(0)),
    isUp: (payload.readUInt32LE(8) & IFF_UP) !== 0,
    master: wordOf(attributes.get(IFLA_MASTER)),
  }
}

/** The route of an RTM_NEWROUTE message, undefined for one of another table or kind. */
export function decodeRoute({ type, payload }: NetlinkMessage): Route | undefined {
  if (type !== RTM_NEWROUTE || payload.length < ROUTE_SIZE) return undefined
  const attributes = attributesOf(payload.subarray(ROUTE_SIZE))
  const table = wordOf(attributes.get(RTA_TABLE)) || payload.readUInt8(4)
  if (table !== RT_TABLE_MAIN || payload.readUInt8(7) !== RTN_UNICAST) return undefined
  const prefix = payload.readUInt8(1)
  const family = familyOf(payload.readUInt8(0))
  const address = addressFromBytes(attributes.get(RTA_DST) ?? Buffer.alloc(family === 6 ? 16 : 4))
  if (family === undefined || address?.family !== family) return undefined
  return {
    destination: prefix === 0 ? undefined : { address, prefix },
    gateway: addressFromBytes(attributes.get(RTA_GATEWAY) ?? Buffer.alloc(0)),
    interfaceIndex: wordOf(attributes.get(RTA_OIF)),
    family,
  }
}

/** `aa:bb:…` as bytes; undefined unless it is a unicast address of six bytes. */
export function parseMac(text: string): Buffer | undefined {
  if (!/^[0-9a-f]{2}([:-][0-9a-f]{2}){5}$/i.test(text)) return undefined
  const bytes = Buffer.from(text.replaceAll(/[:-]/g, ''), 'hex')
  return (bytes.readUInt8(0) & 1) === 0 && bytes.some((byte) => byte !== 0) ? bytes : undefined
}

export function formatMac(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(':')
}

function linkHead(index = 0, flags = 0): Buffer {
  const head = Buffer.alloc(LINK_SIZE)
  head.writeInt32LE(index, 4)
  head.writeUInt32LE(flags, 8)
  head.writeUInt32LE(flags, 12)
  return head
}

function linkAttributes({ name, mac, mtu }: NewLink): Buffer[] {
  const bytes = mac === undefined ? undefined : parseMac(mac)
  return [
    textAttribute(IFLA_IFNAME, name),
    ...(bytes === undefined ? [] : [attribute(IFLA_ADDRESS, bytes)]),
    ...(mtu === undefined ? [] : [wordAttribute(IFLA_MTU, mtu)]),
  ]
}

function namespaceOf({ namespace }: VethEnd): Buffer[] {
  return namespace === undefined ? [] : [wordAttribute(IFLA_NET_NS_FD, namespace)]
}

function linkInfo(kind: string, data: readonly Buffer[] = []): Buffer {
  const fields = [textAttribute(IFLA_INFO_KIND, kind)]
  if (data.length > 0) fields.push(nested(IFLA_INFO_DATA, data))
  return nested(IFLA_LINKINFO, fields)
}

function broadcastOf(address: Uint8Array, prefix: number): Buffer {
  const bytes = Buffer.from(address)
  bytes.writeUInt32BE((bytes.readUInt32BE(0) | (0xffffffff >>> prefix)) >>> 0)
  return bytes
}

function familyOf(family: number): 4 | 6 | undefined {
  if (family === AF_INET) return 4
  return family === AF_INET6 ? 6 : undefined
}

function wordOf(value: Buffer | undefined): number {
  return value === undefined || value.length < 4 ? 0 : value.readUInt32LE(0)
}
