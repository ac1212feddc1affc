/** Which address a container gets: pure, on a book of leases that the caller has locked. */
import { TsrunError } from '../errors.ts'
import {
  type Address,
  addressAt,
  contains,
  formatAddress,
  indexIn,
  isSameAddress,
  parseAddress,
  parseSubnet,
  type Subnet,
  sizeOf,
} from './ip-address.ts'
import type { LeaseBook, NetworkRecord, NetworkSubnet } from './network-record.ts'

export interface WantedAddresses {
  readonly ipv4?: string
  readonly ipv6?: string
}

export interface GivenAddresses {
  readonly ipv4?: string
  readonly ipv6?: string
  /** The book's new search positions. */
  readonly next: LeaseBook['next']
}

/**
 * An address in each subnet of the network. A free one is searched behind the last that was given, so that one
 * just given back rests: neighbours may remember whose it was. Throws `failed-precondition` when none is free.
 */
export function giveAddresses(
  network: NetworkRecord,
  book: LeaseBook,
  wanted: WantedAddresses,
): GivenAddresses {
  refuseUnplaced(network, wanted)
  const given: { ipv4?: string; ipv6?: string } = {}
  const next: Record<string, number> = { ...book.next }
  for (const pool of network.subnets) {
    const subnet = mustParse(pool.subnet)
    const key = subnet.address.family === 4 ? 'ipv4' : 'ipv6'
    const taken = takenIn(book, key)
    const asked = wanted[key]
    // One of each family: the first that has room.
    if (given[key] !== undefined) continue
    if (asked !== undefined && !contains(subnet, parseAddress(asked) ?? subnet.address)) continue
    if (asked === undefined) {
      const [index, address] = search(network, pool, taken, next[pool.subnet] ?? 0)
      next[pool.subnet] = index + 1
      given[key] = formatAddress(address)
    } else given[key] = checkWanted(network, pool, taken, asked)
  }
  return { ...given, next }
}

/** The MAC address that goes with an address: always the same, so that caches of neighbours stay right. */
export function macFor({ ipv4, ipv6 }: WantedAddresses): string {
  const address = parseAddress(ipv4 ?? ipv6 ?? '')
  const bytes = address === undefined ? [0, 0, 0, 0] : [...address.bytes.subarray(-4)]
  return [0x02, 0x42, ...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(':')
}

/** Throws `invalid-argument` for an address that is in no subnet of the network. */
export function refuseUnplaced(network: NetworkRecord, wanted: WantedAddresses): void {
  for (const asked of [wanted.ipv4, wanted.ipv6]) {
    if (asked === undefined) continue
    const address = parseAddress(asked)
    const isInside =
      address !== undefined &&
      network.subnets.some(({ subnet }) => contains(mustParse(subnet), address))
    if (isInside) continue
    const subnets = network.subnets.map(({ subnet }) => subnet).join(' and ')
    throw new TsrunError(
      'invalid-argument',
      `cannot use the address "${asked}" in the network "${network.name}": its subnets are ${subnets}`,
    )
  }
}

function checkWanted(
  network: NetworkRecord,
  pool: NetworkSubnet,
  taken: ReadonlyMap<string, string>,
  asked: string,
): string {
  const address = parseAddress(asked)
  if (address === undefined) throw new RangeError('checked before')
  const text = formatAddress(address)
  const holder = text === pool.gateway ? 'its gateway' : taken.get(text)
  const subnet = mustParse(pool.subnet)
  const index = indexIn(subnet, address)
  const isReserved = index === 0n || (address.family === 4 && index === sizeOf(subnet) - 1n)
  if (holder === undefined && !isReserved) return text
  throw new TsrunError(
    'failed-precondition',
    `cannot give the address "${asked}" in the network "${network.name}": ${
      isReserved ? 'it stands for the subnet itself' : `it belongs to ${holder}`
    }`,
  )
}

function search(
  network: NetworkRecord,
  pool: NetworkSubnet,
  taken: ReadonlyMap<string, string>,
  start: number,
): readonly [number, Address] {
  const subnet = mustParse(pool.subnet)
  const range = mustParse(pool.ipRange ?? pool.subnet)
  const first = indexIn(subnet, addressAt(range, 0n))
  const gateway = pool.gateway === undefined ? undefined : parseAddress(pool.gateway)
  // As many as can be taken, and some more: an IPv6 subnet has no end.
  const room = sizeOf(range)
  const tries = Number(room < 65_536n ? room : 65_536n)
  for (let i = 0; i < tries; i++) {
    const offset = (start + i) % tries
    const index = first + BigInt(offset)
    const address = addressAt(subnet, index)
    const isLast = subnet.address.family === 4 && index === sizeOf(subnet) - 1n
    const isGateway = gateway !== undefined && isSameAddress(gateway, address)
    if (index !== 0n && !isLast && !isGateway && !taken.has(formatAddress(address)))
      return [offset, address]
  }
  throw new TsrunError(
    'failed-precondition',
    `cannot find an address in the network "${network.name}": all of ${pool.ipRange ?? pool.subnet} are taken`,
    { hint: 'remove containers, or make a network with a larger --subnet' },
  )
}

function takenIn(book: LeaseBook, key: 'ipv4' | 'ipv6'): ReadonlyMap<string, string> {
  return new Map(
    book.leases.flatMap((lease) => {
      const address = lease[key]
      return address === undefined ? [] : [[address, `container ${lease.containerName}`] as const]
    }),
  )
}

function mustParse(text: string): Subnet {
  const subnet = parseSubnet(text)
  if (subnet === undefined)
    throw new TsrunError('failed-precondition', `cannot read the subnet "${text}" of a network`)
  return subnet
}
