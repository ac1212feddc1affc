/** What happens to networks when a container starts: an address in each, its ports, its files; then its interfaces. */
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { TsrunError } from '../../errors.ts'
import { type GivenAddresses, giveAddresses, macFor } from '../../network/ipam.ts'
import type { NetworkInside } from '../../network/network-driver.ts'
import type { NetworkAttachment } from '../../network/network-option.ts'
import type { Lease, LeaseBook, NetworkRecord, PortMapping } from '../../network/network-record.ts'
import { openPorts, portHolders } from '../../network/open-ports.ts'
import { choosePorts, type PortHolder, type WantedPort } from '../../network/port-publish.ts'
import type { ContainerRecord } from '../container-record.ts'
import { statusOf } from '../container-status.ts'
import type { Engine } from '../engine.ts'
import { networkFor } from './create-network.ts'
import { leadsOut, publisherOf } from './leads-out.ts'
import { detachLease, leaveNetworks } from './leave-networks.ts'
import { startProxy } from './loopback-proxy.ts'
import { type NetworkEngine, networksOf } from './network-engine.ts'
import { writeNetworkFiles } from './network-files.ts'
import { recordMember } from './record-network.ts'
import { hasNames, settleResolver } from './resolver.ts'
import { leaseHolders } from './user-ports.ts'
import { wantedPorts } from './wanted-ports.ts'

/** One network that a container is in. */
export interface Joined {
  readonly network: NetworkRecord
  readonly lease: Lease
}

/**
 * Takes an address in each network of `record` and opens its ports; `attach` makes the interfaces, once the
 * container's network namespace is there. What was taken is given back by `releaseContainer`.
 */
export async function joinNetworks(
  engine: Engine,
  record: ContainerRecord,
): Promise<{ readonly joined: readonly Joined[]; attach(inside: Inside): void }> {
  const networks = networksOf(engine)
  const joined: Joined[] = []
  try {
    const ports = wantedPorts(record)
    const attachments = record.networks ?? []
    const found: NetworkRecord[] = []
    for (const { network } of attachments) found.push(await networkFor(networks, network))
    const publisher = publisherOf(networks, found)
    const published = publisher === undefined ? 0 : found.indexOf(publisher)
    for (const [i, attachment] of attachments.entries())
      joined.push(
        await joinNetwork(engine, record, attachment, {
          ports: i === published ? ports : [],
          interface: `eth${i}`,
        }),
      )
    writeNetworkFiles(engine, record, joined)
  } catch (error) {
    await leaveNetworks(engine, record)
    throw error
  }
  return {
    joined,
    attach(inside) {
      const way = joined.find(({ network }) => leadsOut(network))
      for (const one of joined) attachInterface(networks, one, inside, one === way)
      for (const { lease } of joined) startProxy(engine, lease, inside.process)
      const all = joined.map(({ network }) => network)
      if (all.some(hasNames)) settleResolver(engine, record, all, inside)
    },
  }
}

/** The inside of a container, and its init. */
export interface Inside extends Pick<NetworkInside, 'namespace' | 'socket'> {
  /** A pidfd. */
  readonly process: number
}

/** Makes the interface of a lease. */
export function attachInterface(
  networks: NetworkEngine,
  { network, lease }: Joined,
  inside: Inside,
  isDefault: boolean,
): void {
  const { interface: name = 'eth0' } = lease
  try {
    networks.driverOf(network).attach(network, lease, { ...inside, interface: name, isDefault })
  } catch (cause) {
    throw new TsrunError(
      'failed-precondition',
      `cannot put the container into the network "${network.name}"`,
      { cause },
    )
  }
}

/** What a container gets in a network beside its address. */
export interface JoinOptions {
  readonly ports: readonly WantedPort[]
  /** The name of its interface. */
  readonly interface: string
}

/** Takes an address in one network for the container. */
export async function joinNetwork(
  engine: Engine,
  record: ContainerRecord,
  attachment: NetworkAttachment,
  options: JoinOptions,
): Promise<Joined> {
  const joined = await takeLease(engine, record, attachment, options)
  recordMember(engine, 'connect', joined.network, record.id)
  return joined
}

async function takeLease(
  engine: Engine,
  record: ContainerRecord,
  attachment: NetworkAttachment,
  { ports, interface: name }: JoinOptions,
): Promise<Joined> {
  const networks = networksOf(engine)
  const network = await networkFor(networks, attachment.network)
  const driver = networks.driverOf(network)
  if (!driver.isReady(network)) {
    using _lock = await networks.store.lock()
    if (networks.store.find(network.name)?.id !== network.id) throw removed(network)
    if (!driver.isReady(network)) driver.prepare(network)
  }
  using locked = await networks.store.lockLeases(network)
  if (locked === undefined) throw removed(network)
  const before = networks.store.leases(network.name)
  const own = withoutContainer(before, record.id)
  const { lease, book } = chooseLease(engine, network, own, record, { ...attachment, name })
  const dropped = before.leases.filter((one) => !book.leases.includes(one))
  // Nobody else chooses a port, or writes the firewall anew, before these are written down.
  using _ports =
    ports.length > 0 || dropped.some((one) => one.ports.length > 0)
      ? await networks.store.lock()
      : undefined
  for (const one of dropped) detachLease(engine, network, one)
  if (dropped.length > 0) networks.store.writeLeases(network.name, book)
  const chosen =
    ports.length > 0
      ? choosePorts(ports, [...leaseHolders(engine, record.id), ...holdersOf(networks)])
      : []
  const published: Lease = { ...lease, ports: chosen }
  networks.store.writeLeases(network.name, { ...book, leases: [...book.leases, published] })
  if (chosen.length > 0) driver.publish(network, published)
  return { network, lease: published }
}

function removed({ name }: NetworkRecord): TsrunError {
  return new TsrunError('not-found', `cannot use the network "${name}": it was removed`)
}

/** Publishes the ports of a lease, which the container had in another network, from this one. */
export async function publishFrom(
  engine: Engine,
  network: NetworkRecord,
  { containerId, ports }: Lease,
  inside: Inside,
): Promise<void> {
  const { store, driverOf } = networksOf(engine)
  using locked = await store.lockLeases(network)
  const book = store.leases(network.name)
  const lease = book.leases.find((one) => one.containerId === containerId)
  if (locked === undefined || lease === undefined) return
  using _ports = await store.lock()
  const published: Lease = { ...lease, ports }
  const leases = book.leases.map((one) => (one === lease ? published : one))
  store.writeLeases(network.name, { ...book, leases })
  driverOf(network).publish(network, published)
  startProxy(engine, published, inside.process)
}

function withoutContainer(book: LeaseBook, id: string): LeaseBook {
  return { ...book, leases: book.leases.filter(({ containerId }) => containerId !== id) }
}

function chooseLease(
  engine: Engine,
  network: NetworkRecord,
  book: LeaseBook,
  record: ContainerRecord,
  attachment: NetworkAttachment & { readonly name: string },
): { readonly lease: Lease; readonly book: LeaseBook } {
  const { given, leases } = giveWithReclaim(engine, network, book, attachment)
  const { next, ...addresses } = given
  const lease: Lease = {
    containerId: record.id,
    containerName: record.name,
    aliases: attachment.aliases ?? [],
    hostInterface: hostInterfaceOf(record.id, network.id),
    interface: attachment.name,
    ...addresses,
    mac: attachment.mac ?? macFor(addresses),
    ports: [],
  }
  return { lease, book: { ...book, leases, next } }
}

/** A full network may be full of the dead: those are looked for only then. The leases without them, if so. */
function giveWithReclaim(
  engine: Engine,
  network: NetworkRecord,
  book: LeaseBook,
  { ipv4, ipv6 }: NetworkAttachment,
): { readonly given: GivenAddresses; readonly leases: LeaseBook['leases'] } {
  const wanted = {
    ...(ipv4 === undefined ? {} : { ipv4 }),
    ...(ipv6 === undefined ? {} : { ipv6 }),
  }
  try {
    return { given: giveAddresses(network, book, wanted), leases: book.leases }
  } catch (error) {
    const leases = book.leases.filter(({ containerId }) => holdsLease(engine, containerId))
    if (leases.length === book.leases.length) throw error
    return { given: giveAddresses(network, { ...book, leases }, wanted), leases }
  }
}

/** Whether a container runs, or is about to. */
export function holdsLease(engine: Engine, id: string): boolean {
  const { containers } = engine
  if (!existsSync(containers.directory(id))) return false
  if (containers.isUnfinished(id)) return true
  const record = containers.read(id)
  if (record === undefined) return false
  const { status } = statusOf(record, containers.directory(id))
  return status === 'running' || status === 'paused' || record.state.starting === true
}

/** The containers of all networks, and the processes of the host. */
export function holdersOf({ store }: NetworkEngine): readonly PortHolder[] {
  const containers = store.names().flatMap((name) =>
    store.leases(name).leases.flatMap(({ containerName, ports }) =>
      ports.map(({ protocol, hostIp, hostPort }: PortMapping) => ({
        protocol,
        hostIp,
        port: hostPort,
        by: `the container "${containerName}"`,
      })),
    ),
  )
  return [...containers, ...portHolders(openPorts())]
}

/** At most 15 bytes, and the same for the same container and network. */
function hostInterfaceOf(containerId: string, networkId: string): string {
  const hash = createHash('sha256').update(`${containerId} ${networkId}`).digest('hex')
  return `veth${hash.slice(0, 11)}`
}
