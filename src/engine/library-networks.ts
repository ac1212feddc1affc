/** Networks for Node programs: made, listed and removed, in the same store as the command's. */
import type { NetworkRecord } from '../network/network-record.ts'
import { defaultDataRoot, defaultStateRoot } from './default-roots.ts'
import { type Engine, openEngine } from './engine.ts'
import { createNetwork as create } from './networks/create-network.ts'
import { listNetworks as list } from './networks/list-networks.ts'
import { removeNetwork as remove } from './networks/remove-network.ts'

export interface NetworkRoots {
  /** Default /var/lib/tsrun. */
  readonly dataRoot?: string
}

export interface NetworkOptions extends NetworkRoots {
  readonly driver?: 'bridge' | 'macvlan'
  /** Subnets such as `10.9.0.0/24`; free ones are chosen when absent. */
  readonly subnets?: readonly string[]
  readonly gateways?: readonly string[]
  /** Parts of the subnets that addresses are given from. */
  readonly ipRanges?: readonly string[]
  /** Without a way to the outside. */
  readonly internal?: boolean
  readonly ipv6?: boolean
  readonly labels?: Readonly<Record<string, string>>
  /** Of the driver: `mtu`, `parent`, … */
  readonly options?: Readonly<Record<string, string>>
}

export type NetworkInfo = Pick<
  NetworkRecord,
  'id' | 'name' | 'driver' | 'internal' | 'subnets' | 'labels' | 'options'
>

/** Makes a network. Throws `already-exists` for a taken name, `failed-precondition` for a subnet that is in use. */
export async function createNetwork(
  name: string,
  options: NetworkOptions = {},
): Promise<NetworkInfo> {
  return infoOf(
    await create(engineFor(options), {
      name,
      driver: options.driver ?? 'bridge',
      subnets: options.subnets ?? [],
      gateways: options.gateways ?? [],
      ipRanges: options.ipRanges ?? [],
      internal: options.internal === true,
      ipv4: true,
      ipv6: options.ipv6 === true,
      labels: options.labels ?? {},
      options: options.options ?? {},
    }),
  )
}

/** All networks, by name; `filters` as of `network ls`: `label=key`, `driver=macvlan`, … */
export function listNetworks(
  options: NetworkRoots & { readonly filters?: readonly string[] } = {},
): readonly NetworkInfo[] {
  return list(engineFor(options), options.filters ?? []).map(({ network }) => infoOf(network))
}

/** Removes a network by name or id. Throws `failed-precondition` when a container is in it. */
export async function removeNetwork(name: string, options: NetworkRoots = {}): Promise<void> {
  await remove(engineFor(options), name)
}

function engineFor({ dataRoot = defaultDataRoot() }: NetworkRoots): Engine {
  return openEngine({ dataRoot, stateRoot: defaultStateRoot(), command: [] })
}

function infoOf(record: NetworkRecord): NetworkInfo {
  const { id, name, driver, internal, subnets, labels, options } = record
  return { id, name, driver, internal, subnets, labels, options }
}
