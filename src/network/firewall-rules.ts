/**
 * The nf_tables table of one engine: chains and rules that never change, and sets that say for whom they are.
 *
 *   prerouting  no neighbour reaches the host's 127.0.0.0/8, which route_localnet would let it
 *   publish     a published port of this host leads to its container
 *   postrouting the host's address instead of the container's towards the outside, of 127.0.0.1, and where a
 *               container reaches its own network by a published port
 *   forward     networks are closed towards each other and the outside, but for what is published or was asked for
 *   input       from an internal network nothing but the address of the bridge itself
 */
import type { NetlinkRequest } from '../linux/netlink-message.ts'
import {
  type BaseChain,
  compare,
  conntrack,
  destinationNat,
  destinationType,
  type Expression,
  jump,
  lookup,
  lookupValue,
  mask,
  masquerade,
  meta,
  newChain,
  newRule,
  newSet,
  newTable,
  payload,
  REGISTER,
  type SetSpec,
  verdict,
} from './nftables-codec.ts'

// nft's numbers of data types, which only nft reads (datatype.h).
const IPV4_ADDRESS = 7
const IPV6_ADDRESS = 8
const PROTOCOL = 12
const SERVICE = 13
const INTERFACE_NAME = 41

/** Names of sets and maps, in which whatever changes is kept. */
export const SETS = {
  /** Bridges of all networks. */
  bridges: 'bridges',
  /** Each bridge with itself: what enters and leaves by the same one. */
  pairs: 'pairs',
  /** Bridges of networks without a way out. */
  internal: 'internal',
  /** Bridges whose containers have the host's address outside. */
  masqueraded: 'masqueraded',
  /** Where containers have their addresses. */
  subnets4: 'subnets4',
  subnets6: 'subnets6',
  publish4: 'publish4',
  publish4any: 'publish4any',
  publish6: 'publish6',
  publish6any: 'publish6any',
} as const

const NAME_LENGTH = 16 // IFNAMSIZ
const V4_TARGET = { dataTypes: [IPV4_ADDRESS, SERVICE], dataLength: 8 }
const V6_TARGET = { dataTypes: [IPV6_ADDRESS, SERVICE], dataLength: 20 }
const NAMED = { keyTypes: [INTERFACE_NAME], keyLength: NAME_LENGTH }
const BY_PORT = { keyTypes: [PROTOCOL, SERVICE], keyLength: 8 }

const SET_SPECS: readonly SetSpec[] = [
  { name: SETS.bridges, ...NAMED },
  {
    name: SETS.pairs,
    keyTypes: [INTERFACE_NAME, INTERFACE_NAME],
    keyLength: NAME_LENGTH * 2,
  },
  { name: SETS.internal, ...NAMED },
  { name: SETS.masqueraded, ...NAMED },
  { name: SETS.subnets4, keyTypes: [IPV4_ADDRESS], keyLength: 4, interval: true },
  { name: SETS.subnets6, keyTypes: [IPV6_ADDRESS], keyLength: 16, interval: true },
  {
    name: SETS.publish4,
    keyTypes: [IPV4_ADDRESS, PROTOCOL, SERVICE],
    keyLength: 12,
    ...V4_TARGET,
  },
  { name: SETS.publish4any, ...BY_PORT, ...V4_TARGET },
  {
    name: SETS.publish6,
    keyTypes: [IPV6_ADDRESS, PROTOCOL, SERVICE],
    keyLength: 24,
    ...V6_TARGET,
  },
  { name: SETS.publish6any, ...BY_PORT, ...V6_TARGET },
]

const NFPROTO_IPV4 = 2
const NFPROTO_IPV6 = 10
const RTN_LOCAL = 2
const IPS_DST_NAT = 0x20
const ESTABLISHED_OR_RELATED = 0x6 // NF_CT_STATE_BIT(IP_CT_ESTABLISHED), (IP_CT_RELATED)

interface Chain {
  readonly name: string
  readonly base?: BaseChain
  readonly rules: readonly (readonly Expression[])[]
}

/** Everything that makes the table, in order, for one transaction. */
export function tableMessages(table: string): readonly NetlinkRequest[] {
  return [
    newTable(table),
    ...SET_SPECS.map((set, i) => newSet(table, set, i + 1)),
    ...CHAINS.map(({ name, base }) => newChain(table, name, base)),
    ...CHAINS.flatMap(({ name, rules }) => rules.map((rule) => newRule(table, name, rule))),
  ]
}

/** Key of a set of interface names. */
export function interfaceKey(...names: readonly string[]): Buffer {
  const key = Buffer.alloc(NAME_LENGTH * names.length)
  names.forEach((name, i) => {
    key.write(name, i * NAME_LENGTH, NAME_LENGTH - 1)
  })
  return key
}

const IS_V4 = [meta('nfproto'), compare(Buffer.from([NFPROTO_IPV4]))]
const IS_V6 = [meta('nfproto'), compare(Buffer.from([NFPROTO_IPV6]))]
const FROM_LOOPBACK_V4 = [payload('network', 12, 1), compare(Buffer.from([127]))]
const TO_LOOPBACK_V4 = [payload('network', 16, 1), compare(Buffer.from([127]))]
const TO_LOCAL = [destinationType('any'), compare(wordOf(RTN_LOCAL))]
const TO_OTHERS_LOCAL = [...TO_LOCAL, destinationType('incoming'), compare(wordOf(RTN_LOCAL), true)]
const WAS_PUBLISHED = [conntrack('status'), mask(wordOf(IPS_DST_NAT)), compare(wordOf(0), true)]
const TO_PUBLISHED = [meta('oifname'), lookup(SETS.bridges), ...WAS_PUBLISHED]
const IS_ANSWER = [
  conntrack('state'),
  mask(wordOf(ESTABLISHED_OR_RELATED)),
  compare(wordOf(0), true),
]
const WITHIN_ONE_BRIDGE = [
  meta('iifname', REGISTER),
  meta('oifname', REGISTER + NAME_LENGTH / 4),
  lookup(SETS.pairs),
]
// Not to ::1, to which the kernel lets no answer in: tsrun-proxy listens there.
const NOT_TO_LOOPBACK_V6 = [
  payload('network', 24, 16),
  compare(Buffer.from('00000000000000000000000000000001', 'hex'), true),
]

const CHAINS: readonly Chain[] = [
  {
    name: 'publish',
    rules: [
      [...IS_V4, payload('network', 16, 4), ...portInto(1), ...translate(SETS.publish4, 4)],
      [...IS_V4, ...portInto(0), ...translate(SETS.publish4any, 4)],
      [...IS_V6, ...NOT_TO_LOOPBACK_V6, ...portInto(4), ...translate(SETS.publish6, 6)],
      [...IS_V6, ...NOT_TO_LOOPBACK_V6, ...portInto(0), ...translate(SETS.publish6any, 6)],
    ],
  },
  {
    name: 'prerouting',
    base: { type: 'filter', hook: 'prerouting', priority: -300 },
    rules: [
      // The kernel looks for 127.0.0.0/8 from elsewhere only after dstnat: without this a neighbour of the host,
      // or a container, would reach what is published on 127.0.0.1 alone, and what else listens there.
      [
        meta('iifname'),
        compare(interfaceKey('lo'), true),
        ...IS_V4,
        ...TO_LOOPBACK_V4,
        verdict('drop'),
      ],
    ],
  },
  {
    name: 'dstnat',
    base: { type: 'nat', hook: 'prerouting', priority: -100 },
    rules: [[...TO_LOCAL, jump('publish')]],
  },
  {
    name: 'output',
    base: { type: 'nat', hook: 'output', priority: -100 },
    rules: [[...TO_LOCAL, jump('publish')]],
  },
  {
    name: 'srcnat',
    base: { type: 'nat', hook: 'postrouting', priority: 100 },
    rules: [
      // By address: a bridge that calls iptables itself (br_netfilter) says by no interface where it came from.
      [...TO_PUBLISHED, ...IS_V4, payload('network', 12, 4), lookup(SETS.subnets4), masquerade()],
      [...TO_PUBLISHED, ...IS_V6, payload('network', 8, 16), lookup(SETS.subnets6), masquerade()],
      [meta('oifname'), lookup(SETS.bridges), ...IS_V4, ...FROM_LOOPBACK_V4, masquerade()],
      [
        meta('iifname'),
        lookup(SETS.masqueraded),
        meta('oifname'),
        lookup(SETS.bridges, true),
        masquerade(),
      ],
    ],
  },
  {
    name: 'forward',
    base: { type: 'filter', hook: 'forward', priority: 0 },
    rules: [
      [...IS_ANSWER, verdict('accept')],
      [...WITHIN_ONE_BRIDGE, verdict('accept')],
      [meta('iifname'), lookup(SETS.internal), verdict('drop')],
      [meta('oifname'), lookup(SETS.internal), verdict('drop')],
      [meta('oifname'), lookup(SETS.bridges), ...WAS_PUBLISHED, verdict('accept')],
      [meta('oifname'), lookup(SETS.bridges), verdict('drop')],
    ],
  },
  {
    name: 'input',
    base: { type: 'filter', hook: 'input', priority: 0 },
    rules: [[meta('iifname'), lookup(SETS.internal), ...TO_OTHERS_LOCAL, verdict('drop')]],
  },
]

/** Protocol and destination port behind `words` registers that are taken. */
function portInto(words: number): Expression[] {
  return [meta('l4proto', REGISTER + words), payload('transport', 2, 2, REGISTER + words + 1)]
}

function translate(map: string, family: 4 | 6): Expression[] {
  return [lookupValue(map), destinationNat(family, REGISTER, REGISTER + (family === 4 ? 1 : 4))]
}

function wordOf(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}
