/** `network create`, and the default network, which is made when a container first wants it. */
import { randomBytes } from 'node:crypto'
import { TsrunError } from '../../errors.ts'
import { checkSubnet, chooseV4, chooseV6, type TakenSubnet } from '../../network/choose-subnet.ts'
import { contains, parseAddress, parseSubnet } from '../../network/ip-address.ts'
import { routedSubnets } from '../../network/links.ts'
import { DEFAULT_NETWORK } from '../../network/network-option.ts'
import type { NetworkRecord, NetworkSubnet } from '../../network/network-record.ts'
import { checkNetworkName } from '../../network/network-store.ts'
import type { Engine } from '../engine.ts'
import { BRIDGE_NAME, driverSettings } from './driver-settings.ts'
import { type NetworkEngine, networksOf } from './network-engine.ts'
import { recordNetwork } from './record-network.ts'

/** As the flags of `network create` have it: the n-th gateway and range belong to the n-th subnet. */
export interface NetworkRequest {
  readonly name: string
  readonly driver: string
  readonly subnets: readonly string[]
  readonly gateways: readonly string[]
  readonly ipRanges: readonly string[]
  readonly internal: boolean
  readonly ipv6: boolean
  readonly ipv4: boolean
  readonly labels: Readonly<Record<string, string>>
  readonly options: Readonly<Record<string, string>>
}

const RESERVED = ['none', 'host', 'default', 'pasta', 'slirp4netns', DEFAULT_NETWORK]

/** Makes a network's record. The kernel hears of it with its first container. */
export async function createNetwork(
  engine: Engine,
  request: NetworkRequest,
): Promise<NetworkRecord> {
  checkNetworkName(request.name)
  if (RESERVED.includes(request.name))
    throw new TsrunError(
      'invalid-argument',
      `cannot make a network "${request.name}": tsrun has one of this name of its own`,
    )
  const networks = networksOf(engine)
  using _lock = await networks.store.lock()
  if (networks.store.find(request.name) !== undefined)
    throw new TsrunError(
      'already-exists',
      `cannot make the network "${request.name}": there is one of this name`,
    )
  const record = recordOf(networks, request)
  networks.store.add(record)
  recordNetwork(engine, 'create', record)
  return record
}

/** The network that an attachment means; the default one is made here the first time. */
export async function networkFor(
  networks: NetworkEngine,
  reference: string,
): Promise<NetworkRecord> {
  if (reference !== DEFAULT_NETWORK) return networks.store.resolve(reference)
  const known = networks.store.find(DEFAULT_NETWORK)
  if (known !== undefined) return known
  using _lock = await networks.store.lock()
  const made = networks.store.find(DEFAULT_NETWORK)
  if (made !== undefined) return made
  const record = recordOf(networks, {
    name: DEFAULT_NETWORK,
    driver: 'bridge',
    subnets: [],
    gateways: [],
    ipRanges: [],
    internal: false,
    ipv6: false,
    ipv4: true,
    labels: {},
    options: {
      [BRIDGE_NAME]: networks.suffix === '' ? 'tsrun0' : `tsrun-${networks.suffix}`,
    },
  })
  networks.store.add(record)
  return record
}

function recordOf(networks: NetworkEngine, request: NetworkRequest): NetworkRecord {
  const { name, internal, labels, options } = request
  const id = randomBytes(32).toString('hex')
  return {
    version: 1,
    id,
    name,
    ...driverSettings(networks.store.all(), request, id),
    createdAt: new Date().toISOString(),
    internal,
    subnets: subnetsOf(networks, request, id),
    labels,
    options,
  }
}

function subnetsOf(
  networks: NetworkEngine,
  request: NetworkRequest,
  id: string,
): readonly NetworkSubnet[] {
  const { subnets, gateways, ipRanges } = request
  // On a parent containers are where the host is: that it has a route there is as it should be.
  const routed = request.driver === 'bridge' ? routedSubnets() : []
  const taken: TakenSubnet[] = [...routed, ...knownSubnets(networks)]
  const given = subnets.map((subnet) => {
    const gateway = partIn(subnet, gateways)
    const ipRange = partIn(subnet, ipRanges)
    const checked = checkSubnet(
      {
        subnet,
        ...(gateway === undefined ? {} : { gateway }),
        ...(ipRange === undefined ? {} : { ipRange }),
      },
      taken,
    )
    const parsed = parseSubnet(subnet)
    if (parsed !== undefined) taken.push({ subnet: parsed, by: 'this network' })
    return checked
  })
  for (const [flag, values] of [
    ['gateway', gateways],
    ['ip-range', ipRanges],
  ] as const)
    for (const value of values)
      if (!given.some(({ gateway, ipRange }) => [gateway, ipRange].includes(value)))
        throw new TsrunError(
          'invalid-argument',
          `cannot use --${flag} "${value}": it is in none of the network's subnets`,
          { hint: 'give --subnet with it' },
        )
  const has = (family: 4 | 6): boolean =>
    given.some(({ subnet }) => parseSubnet(subnet)?.address.family === family)
  return [
    ...given,
    ...(request.ipv4 && !has(4) ? [chooseV4(taken)] : []),
    ...(request.ipv6 && !has(6) ? [chooseV6(id, taken)] : []),
  ]
}

/** That of `values`, addresses or subnets, that lies in `subnet`. */
function partIn(subnet: string, values: readonly string[]): string | undefined {
  const whole = parseSubnet(subnet)
  if (whole === undefined) return undefined
  return values.find((value) => {
    const part = parseSubnet(value)
    const address = part?.address ?? parseAddress(value)
    if (address === undefined || (part !== undefined && part.prefix < whole.prefix)) return false
    return contains(whole, address)
  })
}

function knownSubnets({ store }: NetworkEngine): readonly TakenSubnet[] {
  return store.all().flatMap(({ name, subnets }) =>
    subnets.flatMap(({ subnet }) => {
      const parsed = parseSubnet(subnet)
      return parsed === undefined ? [] : [{ subnet: parsed, by: `the network "${name}"` }]
    }),
  )
}
