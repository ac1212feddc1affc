/** Subnets for networks that were made without one, and whether a given one is in the way of something. */
import { createHash } from 'node:crypto'
import { TsrunError } from '../errors.ts'
import {
  addressAt,
  addressFromBytes,
  formatAddress,
  formatSubnet,
  networkOf,
  overlaps,
  parseSubnet,
  type Subnet,
} from './ip-address.ts'
import type { NetworkSubnet } from './network-record.ts'

/** A subnet that is in use, and by what. */
export interface TakenSubnet {
  readonly subnet: Subnet
  /** `the network "web"`, `the route by eth0`. */
  readonly by: string
}

// 256 networks of 4094 addresses, beside what docker (172.17–31) and podman (10.88, 10.89) take.
const POOL_FIRST = 208
const POOL_LENGTH = 256
const POOL_PREFIX = 20

/** The first subnet of the pool that nothing uses, with its gateway. */
export function chooseV4(taken: readonly TakenSubnet[]): NetworkSubnet {
  for (let i = 0; i < POOL_LENGTH; i++) {
    const bytes = Uint8Array.from([10, POOL_FIRST + (i >> 4), (i & 15) << 4, 0])
    const subnet: Subnet = { address: { family: 4, bytes }, prefix: POOL_PREFIX }
    if (!taken.some((other) => overlaps(other.subnet, subnet))) return withGateway(subnet)
  }
  throw new TsrunError('failed-precondition', 'cannot find a free subnet for the network', {
    hint: 'give one with --subnet, or remove networks',
  })
}

/** A unique local subnet (RFC 4193) that follows from `seed`: the same for the same network. */
export function chooseV6(seed: string, taken: readonly TakenSubnet[]): NetworkSubnet {
  for (let i = 0; ; i++) {
    const hash = createHash('sha256').update(`${seed} ${i}`).digest()
    const bytes = Buffer.alloc(16)
    bytes.writeUInt8(0xfd)
    hash.copy(bytes, 1, 0, 7)
    const address = addressFromBytes(bytes)
    if (address === undefined) throw new RangeError('sixteen bytes are an address')
    const subnet: Subnet = { address, prefix: 64 }
    if (!taken.some((other) => overlaps(other.subnet, subnet))) return withGateway(subnet)
  }
}

/** A subnet that the user gave: checked, with its first address as gateway unless another is given. */
export function checkSubnet(
  given: { readonly subnet: string; readonly gateway?: string; readonly ipRange?: string },
  taken: readonly TakenSubnet[],
): NetworkSubnet {
  const parsed = parseSubnet(given.subnet)
  const limit = parsed?.address.family === 4 ? 30 : 126
  if (parsed === undefined || parsed.prefix > limit || parsed.prefix < 4)
    throw invalid(given.subnet, `it must be a subnet such as 10.9.0.0/24, at most /${limit}`)
  const subnet = networkOf(parsed)
  if (formatAddress(subnet.address) !== formatAddress(parsed.address))
    throw invalid(given.subnet, `its first address is ${formatSubnet(subnet)}`)
  const conflict = taken.find((other) => overlaps(other.subnet, subnet))
  if (conflict !== undefined)
    throw new TsrunError(
      'failed-precondition',
      `cannot use the subnet "${given.subnet}": it overlaps ${formatSubnet(conflict.subnet)} of ${conflict.by}`,
    )
  return { ...withGateway(subnet), ...given, subnet: formatSubnet(subnet) }
}

function withGateway(subnet: Subnet): NetworkSubnet & { readonly gateway: string } {
  return { subnet: formatSubnet(subnet), gateway: formatAddress(addressAt(subnet, 1n)) }
}

function invalid(subnet: string, why: string): TsrunError {
  return new TsrunError('invalid-argument', `cannot use the subnet "${subnet}": ${why}`)
}
