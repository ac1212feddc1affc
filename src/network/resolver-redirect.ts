/**
 * What leads port 53 of 127.0.0.11 to the resolver of a container, in its own namespace: the resolver listens elsewhere, as
 * docker's does, so that a name server in the container can have port 53 of every address. Pure.
 */
import { encodeRequest } from '../linux/netlink-message.ts'
import {
  compare,
  deleteTable,
  destinationNat,
  type Expression,
  immediate,
  meta,
  newChain,
  newRule,
  newTable,
  payload,
  REGISTER,
  transaction,
} from './nftables-codec.ts'

const TABLE = 'tsrun-resolver'
const ADDRESS = Buffer.from([127, 0, 0, 11])
const DNS_PORT = Buffer.from([0, 53])
/** OWN_PORT of native-bindings/resolver.h, padded to a register. */
const OWN_PORT = Buffer.from([61_053 >> 8, 61_053 & 0xff, 0, 0])
const NFPROTO_IPV4 = Buffer.from([2])
const PROTOCOLS = [6, 17]

/** The messages of one transaction, for a netfilter socket of the container's namespace. */
export function redirectToResolver(): Buffer {
  const messages = transaction([
    // Made first, so that there is one to delete: a resolver that was killed leaves its own.
    newTable(TABLE),
    deleteTable(TABLE),
    newTable(TABLE),
    newChain(TABLE, 'output', { type: 'nat', hook: 'output', priority: -100 }),
    ...PROTOCOLS.map((protocol) => newRule(TABLE, 'output', ruleFor(protocol))),
  ])
  return Buffer.concat(messages.map((message, i) => encodeRequest(message, i + 1)))
}

function ruleFor(protocol: number): readonly Expression[] {
  return [
    meta('nfproto'),
    compare(NFPROTO_IPV4),
    payload('network', 16, 4),
    compare(ADDRESS),
    meta('l4proto'),
    compare(Buffer.from([protocol])),
    payload('transport', 2, 2),
    compare(DNS_PORT),
    immediate(ADDRESS),
    immediate(OWN_PORT, REGISTER + 1),
    destinationNat(4, REGISTER, REGISTER + 1),
  ]
}
