/**
 * Messages of nf_tables over nfnetlink (linux/netfilter/nf_tables.h). Names and values are binary attributes: there is
 * no language in between that a name could break out of. Numbers in them are big-endian.
 */
import {
  attribute,
  type NetlinkRequest,
  NLM_F_ACK,
  NLM_F_APPEND,
  NLM_F_CREATE,
  NLM_F_REQUEST,
  nested,
  textAttribute,
} from '../linux/netlink-message.ts'

const SUBSYSTEM = 10 // NFNL_SUBSYS_NFTABLES
const BATCH_BEGIN = 0x10 // NFNL_MSG_BATCH_BEGIN
const BATCH_END = 0x11
const NFPROTO_INET = 1
const MESSAGES = {
  newTable: 0,
  getTable: 1,
  deleteTable: 2,
  newChain: 3,
  newRule: 6,
  newSet: 9,
  newElements: 12,
  getElements: 13,
  deleteElements: 14,
} as const
const NFT_SET_INTERVAL = 4
const NFT_SET_MAP = 8
const NFT_SET_ELEM_INTERVAL_END = 1

/** Where the kernel calls a chain: linux/netfilter.h. */
export const HOOKS = { prerouting: 0, input: 1, forward: 2, output: 3, postrouting: 4 } as const

export interface BaseChain {
  readonly type: 'filter' | 'nat'
  readonly hook: keyof typeof HOOKS
  readonly priority: number
}

/** An expression of a rule, encoded. */
export type Expression = Buffer

export interface SetSpec {
  readonly name: string
  /** Numbers of nft's data types; several are a concatenation. */
  readonly keyTypes: readonly number[]
  readonly keyLength: number
  /** For a map. */
  readonly dataTypes?: readonly number[]
  readonly dataLength?: number
  /** Of ranges: each is two elements, its first key and the one behind its last. */
  readonly interval?: true
}

export interface SetElement {
  readonly key: Uint8Array
  readonly data?: Uint8Array
  /** The first key that is not in the range any more. */
  readonly isEnd?: true
}

/** `messages` as one transaction: all of them happen, or none. */
export function transaction(messages: readonly NetlinkRequest[]): readonly NetlinkRequest[] {
  const last = messages.length - 1
  return [
    batch(BATCH_BEGIN),
    // The kernel answers in the end, in order: once the last is acknowledged all went well.
    ...messages.map((message, i) =>
      i === last ? { ...message, flags: message.flags | NLM_F_ACK } : message,
    ),
    batch(BATCH_END),
  ]
}

export function newTable(table: string): NetlinkRequest {
  return request('newTable', NLM_F_CREATE, [textAttribute(1, table)])
}

/** Asks for the table; ENOENT when there is none. */
export function getTable(table: string): NetlinkRequest {
  return request('getTable', NLM_F_ACK, [textAttribute(1, table)])
}

export function deleteTable(table: string): NetlinkRequest {
  return request('deleteTable', 0, [textAttribute(1, table)])
}

/** A chain that others jump to, or with `base` one that the kernel calls and that accepts what is left. */
export function newChain(table: string, name: string, base?: BaseChain): NetlinkRequest {
  const hook =
    base === undefined
      ? []
      : [
          nested(4, [word(1, HOOKS[base.hook]), word(2, base.priority)]),
          word(5, VERDICTS.accept),
          textAttribute(7, base.type),
        ]
  return request('newChain', NLM_F_CREATE, [
    textAttribute(1, table),
    textAttribute(3, name),
    ...hook,
  ])
}

/** Appends a rule. */
export function newRule(
  table: string,
  chain: string,
  expressions: readonly Expression[],
): NetlinkRequest {
  return request('newRule', NLM_F_CREATE | NLM_F_APPEND, [
    textAttribute(1, table),
    textAttribute(2, chain),
    nested(
      4,
      expressions.map((expression) => attribute(1 | NESTED, expression)),
    ),
  ])
}

/** `id` tells the kernel which set later messages of the same transaction mean. */
export function newSet(table: string, set: SetSpec, id: number): NetlinkRequest {
  const { name, keyTypes, keyLength, dataTypes, dataLength, interval } = set
  const data =
    dataTypes === undefined ? [] : [word(6, typeNumber(dataTypes)), word(7, dataLength ?? 0)]
  return request('newSet', NLM_F_CREATE, [
    textAttribute(1, table),
    textAttribute(2, name),
    word(
      3,
      (dataTypes === undefined ? 0 : NFT_SET_MAP) | (interval === true ? NFT_SET_INTERVAL : 0),
    ),
    word(4, typeNumber(keyTypes)),
    word(5, keyLength),
    ...data,
    word(10, id),
    // NFTNL_UDATA_SET_KEYBYTEORDER: nft prints names of interfaces the wrong way round without it.
    ...(keyTypes.length > 1 || interval === true
      ? []
      : [attribute(13, Buffer.from([0, 4, 1, 0, 0, 0]))]),
  ])
}

export function addElements(
  table: string,
  set: string,
  elements: readonly SetElement[],
): NetlinkRequest {
  return request('newElements', NLM_F_CREATE, elementList(table, set, elements))
}

/** Removes elements by their keys; ENOENT when one of them is not there. */
export function deleteElements(
  table: string,
  set: string,
  elements: readonly SetElement[],
): NetlinkRequest {
  const keys = elements.map(({ key }) => ({ key }))
  return request('deleteElements', 0, elementList(table, set, keys))
}

/** Asks whether the element is there: ENOENT when it is not, or its set or table. */
export function getElement(table: string, set: string, key: Uint8Array): NetlinkRequest {
  return request('getElements', NLM_F_ACK, elementList(table, set, [{ key }]))
}

/** The registers of four bytes: NFT_REG32_00 and up. */
export const REGISTER = 8

const META_KEYS = { iifname: 6, oifname: 7, nfproto: 15, l4proto: 16 } as const
const CT_KEYS = { state: 0, status: 2 } as const
const VERDICTS = { drop: 0, accept: 1, jump: -3, return: -5 } as const

export function meta(key: keyof typeof META_KEYS, register = REGISTER): Expression {
  return expression('meta', [word(2, META_KEYS[key]), word(1, register)])
}

export function conntrack(key: keyof typeof CT_KEYS, register = REGISTER): Expression {
  return expression('ct', [word(2, CT_KEYS[key]), word(1, register)])
}

/** Loads bytes of the packet: from its network or its transport header on. */
export function payload(
  base: 'network' | 'transport',
  offset: number,
  length: number,
  register = REGISTER,
): Expression {
  return expression('payload', [
    word(1, register),
    word(2, base === 'network' ? 1 : 2),
    word(3, offset),
    word(4, length),
  ])
}

/** Goes on with the rule only when the register equals `value`, or with `not` when it does not. */
export function compare(value: Uint8Array, not = false, register = REGISTER): Expression {
  return expression('cmp', [
    word(1, register),
    word(2, not ? 1 : 0),
    nested(3, [attribute(1, value)]),
  ])
}

/** register = register & mask */
export function mask(bits: Uint8Array, register = REGISTER): Expression {
  return expression('bitwise', [
    word(1, register),
    word(2, register),
    word(3, bits.length),
    nested(4, [attribute(1, bits)]),
    nested(5, [attribute(1, Buffer.alloc(bits.length))]),
  ])
}

/** Goes on only when the key in the registers is in the set, or with `not` when it is not. */
export function lookup(set: string, not = false, register = REGISTER): Expression {
  return expression('lookup', [
    textAttribute(1, set),
    word(2, register),
    ...(not ? [word(5, 1)] : []),
  ])
}

/** Goes on only when the map has the key; its value is in the registers from `into` on. */
export function lookupValue(map: string, register = REGISTER, into = REGISTER): Expression {
  return expression('lookup', [textAttribute(1, map), word(2, register), word(3, into)])
}

/**
 * The type of the destination address as the routing table has it (RTN_*), in this machine's order: on `any`
 * interface, or on that by which the packet came.
 */
export function destinationType(on: 'any' | 'incoming'): Expression {
  const NFT_FIB_RESULT_ADDRTYPE = 3
  const NFTA_FIB_F_DADDR = 2
  const NFTA_FIB_F_IIF = 8
  return expression('fib', [
    word(1, REGISTER),
    word(2, NFT_FIB_RESULT_ADDRTYPE),
    word(3, on === 'any' ? NFTA_FIB_F_DADDR : NFTA_FIB_F_DADDR | NFTA_FIB_F_IIF),
  ])
}

/** Puts `value` into the register. */
export function immediate(value: Uint8Array, register = REGISTER): Expression {
  return expression('immediate', [word(1, register), nested(2, [attribute(1, value)])])
}

export function verdict(name: 'drop' | 'accept' | 'return'): Expression {
  return expression('immediate', [word(1, 0), nested(2, [nested(2, [word(1, VERDICTS[name])])])])
}

export function jump(chain: string): Expression {
  return expression('immediate', [
    word(1, 0),
    nested(2, [nested(2, [word(1, VERDICTS.jump), textAttribute(2, chain)])]),
  ])
}

/** Sends the packet on to the address and the port in the registers. */
export function destinationNat(family: 4 | 6, address: number, port: number): Expression {
  const NFT_NAT_DNAT = 1
  return expression('nat', [
    word(1, NFT_NAT_DNAT),
    word(2, family === 4 ? 2 : 10),
    word(3, address),
    word(5, port),
  ])
}

export function masquerade(): Expression {
  return expression('masq', [])
}

const NESTED = 0x8000

function expression(name: string, data: readonly Buffer[]): Expression {
  return Buffer.concat([textAttribute(1, name), nested(2, data)])
}

function elementList(table: string, set: string, elements: readonly SetElement[]): Buffer[] {
  const list = elements.map(({ key, data, isEnd }) =>
    nested(1, [
      nested(1, [attribute(1, key)]),
      ...(isEnd === true ? [word(3, NFT_SET_ELEM_INTERVAL_END)] : []),
      ...(data === undefined ? [] : [nested(2, [attribute(1, data)])]),
    ]),
  )
  return [textAttribute(1, table), textAttribute(2, set), nested(3, list)]
}

function request(
  message: keyof typeof MESSAGES,
  flags: number,
  attributes: readonly Buffer[],
): NetlinkRequest {
  // struct nfgenmsg: u8 family, u8 version, be16 res_id
  const head = Buffer.from([NFPROTO_INET, 0, 0, 0])
  return {
    type: (SUBSYSTEM << 8) | MESSAGES[message],
    flags: NLM_F_REQUEST | flags,
    payload: Buffer.concat([head, ...attributes]),
  }
}

function batch(type: number): NetlinkRequest {
  return { type, flags: NLM_F_REQUEST, payload: Buffer.from([0, 0, 0, SUBSYSTEM]) }
}

// Six bits a type (TYPE_BITS of nft's datatype.h): only nft reads it, to print keys as people write them.
function typeNumber(types: readonly number[]): number {
  return types.reduce((number, type) => (number << 6) | type, 0)
}

function word(type: number, value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value | 0)
  return attribute(type, bytes)
}
