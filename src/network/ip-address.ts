/** Addresses and subnets of IPv4 and IPv6: text, bytes, and counting. */

export interface Address {
  readonly family: 4 | 6
  /** In network order: 4 or 16 bytes. */
  readonly bytes: Uint8Array
}

export interface Subnet {
  /** The first address for a network; any of its addresses where a route or an interface is meant. */
  readonly address: Address
  readonly prefix: number
}

/** The address, undefined for anything else; no zone, no leading zeros, no short forms of IPv4. */
export function parseAddress(text: string): Address | undefined {
  if (text.includes(':')) return parseV6(text)
  const bytes = parseV4(text)
  return bytes === undefined ? undefined : { family: 4, bytes }
}

/** `10.0.0.0/8`; bits behind the prefix may be set. */
export function parseSubnet(text: string): Subnet | undefined {
  const [head = '', length = '', ...rest] = text.split('/')
  const address = parseAddress(head)
  if (address === undefined || rest.length > 0 || !/^(0|[1-9]\d{0,2})$/.test(length))
    return undefined
  const prefix = Number(length)
  return prefix <= bitsOf(address) ? { address, prefix } : undefined
}

/** As RFC 5952 writes it. */
export function formatAddress({ family, bytes }: Address): string {
  if (family === 4) return bytes.join('.')
  const groups = Array.from({ length: 8 }, (_, i) => word(bytes, i * 2))
  const [start, length] = longestZeros(groups)
  const text = (part: readonly number[]): string =>
    part.map((group) => group.toString(16)).join(':')
  if (length < 2) return text(groups)
  return `${text(groups.slice(0, start))}::${text(groups.slice(start + length))}`
}

export function formatSubnet({ address, prefix }: Subnet): string {
  return `${formatAddress(address)}/${prefix}`
}

export function addressFromBytes(bytes: Uint8Array): Address | undefined {
  if (bytes.length === 4) return { family: 4, bytes }
  return bytes.length === 16 ? { family: 6, bytes } : undefined
}

/** The subnet with the bits behind the prefix cleared. */
export function networkOf({ address, prefix }: Subnet): Subnet {
  const shift = BigInt(bitsOf(address) - prefix)
  return { address: addressOf((numberOf(address) >> shift) << shift, address.family), prefix }
}

/** The `index`th address of the subnet, counted from its first. */
export function addressAt(subnet: Subnet, index: bigint): Address {
  const { address } = networkOf(subnet)
  return addressOf(numberOf(address) + index, address.family)
}

/** How far `address` is from the first of the subnet. */
export function indexIn(subnet: Subnet, address: Address): bigint {
  return numberOf(address) - numberOf(networkOf(subnet).address)
}

/** How many addresses the subnet has. */
export function sizeOf({ address, prefix }: Subnet): bigint {
  return 1n << BigInt(bitsOf(address) - prefix)
}

export function contains(subnet: Subnet, address: Address): boolean {
  if (subnet.address.family !== address.family) return false
  const index = indexIn(subnet, address)
  return index >= 0n && index < sizeOf(subnet)
}

export function overlaps(a: Subnet, b: Subnet): boolean {
  if (a.address.family !== b.address.family) return false
  return a.prefix <= b.prefix ? contains(a, b.address) : contains(b, a.address)
}

export function isSameAddress(a: Address, b: Address): boolean {
  return a.family === b.family && numberOf(a) === numberOf(b)
}

function bitsOf({ family }: Address): number {
  return family === 4 ? 32 : 128
}

function numberOf({ bytes }: Address): bigint {
  return bytes.reduce((number, byte) => (number << 8n) | BigInt(byte), 0n)
}

function addressOf(number: bigint, family: 4 | 6): Address {
  const length = family === 4 ? 4 : 16
  const bytes = Uint8Array.from({ length }, (_, i) =>
    Number((number >> BigInt((length - 1 - i) * 8)) & 0xffn),
  )
  return { family, bytes }
}

function parseV4(text: string): Uint8Array | undefined {
  if (!/^(0|[1-9]\d{0,2})(\.(0|[1-9]\d{0,2})){3}$/.test(text)) return undefined
  const parts = text.split('.').map(Number)
  return parts.every((part) => part <= 255) ? Uint8Array.from(parts) : undefined
}

function parseV6(text: string): Address | undefined {
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const [head, tail] = halves.map((half) => (half === '' ? [] : groupsOf(half)))
  if (head === undefined || (halves.length === 2 && tail === undefined)) return undefined
  const missing = 8 - head.length - (tail?.length ?? 0)
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined
  const groups = [
    ...head,
    ...Array<number>(halves.length === 1 ? 0 : missing).fill(0),
    ...(tail ?? []),
  ]
  return {
    family: 6,
    bytes: Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff])),
  }
}

/** Groups of 16 bits; the last two may be written as an address of IPv4. */
function groupsOf(text: string): number[] | undefined {
  const parts = text.split(':')
  const last = parts.at(-1) ?? ''
  const v4 = last.includes('.') ? parseV4(last) : undefined
  if (last.includes('.') && v4 === undefined) return undefined
  const words = v4 === undefined ? parts : parts.slice(0, -1)
  if (!words.every((part) => /^[0-9a-f]{1,4}$/i.test(part))) return undefined
  const groups = words.map((part) => Number.parseInt(part, 16))
  return v4 === undefined ? groups : [...groups, word(v4, 0), word(v4, 2)]
}

function word(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0)
}

function longestZeros(groups: readonly number[]): readonly [number, number] {
  let best: readonly [number, number] = [0, 0]
  for (let start = 0; start < groups.length; start++) {
    let end = start
    while (groups[end] === 0) end++
    if (end - start > best[1]) best = [start, end - start]
  }
  return best
}
