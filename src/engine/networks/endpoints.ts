/** Where containers are in networks, for those who only look: the wish in the record beside the lease. */
import { join } from 'node:path'
import type { NetworkAttachment } from '../../network/network-option.ts'
import type { Lease, NetworkRecord } from '../../network/network-record.ts'
import { NetworkStore } from '../../network/network-store.ts'
import { parseExpose } from '../../network/port-publish.ts'
import { describePorts, portsOf, type ShownPort, withExposed } from '../../network/shown-ports.ts'
import { parseUserMode } from '../../network/user-mode/user-mode-program.ts'
import type { ContainerRecord } from '../container-record.ts'
import { readUserLease } from './user-ports.ts'

/** One network that a container wants to be in. */
export interface Endpoint {
  /** The network's name; as the user gave it when there is none any more. */
  readonly name: string
  readonly attachment: NetworkAttachment
  readonly network?: NetworkRecord
  /** There while the container runs. */
  readonly lease?: Lease
}

/** Reads each network once, for as many containers as are asked for. */
export class EndpointReader {
  readonly #dataRoot: string
  readonly #store: NetworkStore
  #networks: readonly NetworkRecord[] | undefined
  readonly #leases = new Map<string, ReadonlyMap<string, Lease>>()

  constructor(dataRoot: string) {
    this.#dataRoot = dataRoot
    this.#store = new NetworkStore(dataRoot)
  }

  /** In the order in which the container has its interfaces. A lease of one that does not run is left over. */
  of(record: ContainerRecord, isLive: boolean): readonly Endpoint[] {
    if (record.networks === undefined) return this.#userMode(record, isLive)
    this.#networks ??= this.#store.all()
    return record.networks.map((attachment) => {
      const network = findNetwork(this.#networks ?? [], attachment.network)
      if (network === undefined) return { name: attachment.network, attachment }
      const lease = isLive ? this.#leasesOf(network).get(record.id) : undefined
      return { name: network.name, attachment, network, ...(lease === undefined ? {} : { lease }) }
    })
  }

  #userMode({ id, networkMode }: ContainerRecord, isLive: boolean): readonly Endpoint[] {
    const isCni = networkMode.startsWith('cni:')
    const name = isCni ? networkMode.slice(4) : parseUserMode(networkMode)?.program
    if (name === undefined) return []
    const lease = isLive ? readUserLease(join(this.#dataRoot, 'containers', id)) : undefined
    const attachment = { network: name }
    return [{ name, attachment, ...(lease === undefined ? {} : { lease }) }]
  }

  #leasesOf({ name }: NetworkRecord): ReadonlyMap<string, Lease> {
    const known = this.#leases.get(name)
    if (known !== undefined) return known
    const { leases } = this.#store.leases(name)
    const byId = new Map(leases.map((lease) => [lease.containerId, lease]))
    this.#leases.set(name, byId)
    return byId
  }
}

/** The network that a reference means: by name first, then by the beginning of an id. */
export function findNetwork(
  all: readonly NetworkRecord[],
  reference: string,
): NetworkRecord | undefined {
  return (
    all.find(({ name }) => name === reference) ?? all.find(({ id }) => id.startsWith(reference))
  )
}

/** The ports of a container that runs: published ones, then those that are only exposed. */
export function shownPorts(
  record: ContainerRecord,
  endpoints: readonly Endpoint[],
): readonly ShownPort[] {
  // Without a lease it has no ports, whatever it exposes.
  if (endpoints.every(({ lease }) => lease === undefined)) return []
  const published = endpoints.flatMap(({ lease }) => (lease === undefined ? [] : portsOf(lease)))
  return withExposed(published, exposedOf(record))
}

/** What it exposes by --expose and its image. */
export function exposedOf({ request, exposedPorts = [] }: ContainerRecord): ExposedPorts {
  return [...(request.expose ?? []), ...exposedPorts].flatMap(readExpose)
}

type ExposedPorts = ReturnType<typeof parseExpose>

/** They in the column PORTS of `ps`. */
export function portsColumn(record: ContainerRecord, endpoints: readonly Endpoint[]): string {
  return describePorts(shownPorts(record, endpoints))
}

function readExpose(text: string): ExposedPorts {
  try {
    return parseExpose(text)
  } catch {
    // An image may say anything; only who publishes what it exposes must know what that means.
    return []
  }
}
