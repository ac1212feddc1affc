/** Finds networks for `network ls`, with docker's filters, and describes them in docker's shape. */
import { TsrunError } from '../../errors.ts'
import { parseSubnet } from '../../network/ip-address.ts'
import type { Lease, NetworkRecord } from '../../network/network-record.ts'
import type { Engine } from '../engine.ts'
import { networksOf } from './network-engine.ts'

export interface ListedNetwork {
  readonly network: NetworkRecord
  readonly leases: readonly Lease[]
}

type Filter = (listed: ListedNetwork, value: string) => boolean

const FILTERS: Readonly<Record<string, Filter>> = {
  name: ({ network }, value) => network.name.includes(value),
  id: ({ network }, value) => network.id.startsWith(value),
  driver: ({ network }, value) => network.driver === value,
  label: ({ network }, value) => hasLabel(network.labels, value),
  dangling: ({ leases }, value) => (leases.length === 0) === truth(value),
}

/** Those that all filters let through, by name. */
export function listNetworks(engine: Engine, filters: readonly string[]): ListedNetwork[] {
  const { store } = networksOf(engine)
  const all = store.all().map((network) => ({ network, leases: store.leases(network.name).leases }))
  const parsed = filters.map(parseFilter)
  return all
    .filter((listed) => parsed.every(([matches, value]) => matches(listed, value)))
    .sort((a, b) => (a.network.name < b.network.name ? -1 : 1))
}

/** Everything about one network. Throws `not-found`. */
export function inspectNetwork(engine: Engine, reference: string): Record<string, unknown> {
  const { store } = networksOf(engine)
  const network = store.resolve(reference)
  const { leases } = store.leases(network.name)
  return {
    Name: network.name,
    Id: network.id,
    Created: network.createdAt,
    Scope: 'local',
    Driver: network.driver,
    EnableIPv4: network.subnets.some(({ subnet }) => !subnet.includes(':')),
    EnableIPv6: network.subnets.some(({ subnet }) => subnet.includes(':')),
    IPAM: {
      Driver: 'default',
      Config: network.subnets.map(({ subnet, gateway, ipRange }) => ({
        Subnet: subnet,
        ...(ipRange === undefined ? {} : { IPRange: ipRange }),
        ...(gateway === undefined ? {} : { Gateway: gateway }),
      })),
    },
    Internal: network.internal,
    Interface: network.interface,
    Containers: new Map(leases.map((lease) => [lease.containerId, endpointOf(network, lease)])),
    Options: new Map(Object.entries(network.options)),
    Labels: new Map(Object.entries(network.labels)),
  }
}

function endpointOf(network: NetworkRecord, lease: Lease): Record<string, string> {
  const withPrefix = (address: string | undefined): string => {
    if (address === undefined) return ''
    const isV6 = address.includes(':')
    const own = network.subnets.find(({ subnet }) => subnet.includes(':') === isV6)
    return `${address}/${parseSubnet(own?.subnet ?? '')?.prefix ?? ''}`
  }
  return {
    Name: lease.containerName,
    MacAddress: lease.mac,
    IPv4Address: withPrefix(lease.ipv4),
    IPv6Address: withPrefix(lease.ipv6),
  }
}

function parseFilter(text: string): readonly [Filter, string] {
  const [key = '', ...rest] = text.split('=')
  const filter = Object.hasOwn(FILTERS, key) ? FILTERS[key] : undefined
  if (filter !== undefined && rest.length > 0) return [filter, rest.join('=')]
  throw new TsrunError(
    'invalid-argument',
    `cannot use the filter "${text}": it has the form key=value`,
    { hint: `the keys are ${Object.keys(FILTERS).join(', ')}` },
  )
}

function hasLabel(labels: Readonly<Record<string, string>>, wanted: string): boolean {
  const [key = '', ...rest] = wanted.split('=')
  return Object.hasOwn(labels, key) && (rest.length === 0 || labels[key] === rest.join('='))
}

function truth(value: string): boolean {
  if (/^(?:1|t|true)$/i.test(value)) return true
  if (/^(?:0|f|false)$/i.test(value)) return false
  throw new TsrunError(
    'invalid-argument',
    `cannot use the filter "dangling=${value}": it is true or false`,
  )
}
