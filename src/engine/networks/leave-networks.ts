/** Gives back what a container has in its networks: ports, interfaces, addresses, its name. */
import type { Lease, NetworkRecord } from '../../network/network-record.ts'
import type { ContainerRecord } from '../container-record.ts'
import type { Engine } from '../engine.ts'
import { findNetwork } from './endpoints.ts'
import { stopProxy } from './loopback-proxy.ts'
import { networksOf } from './network-engine.ts'
import { recordMember } from './record-network.ts'

/** Everything of `record`; what is not there is no error. */
export async function leaveNetworks(engine: Engine, record: ContainerRecord): Promise<void> {
  for (const { network } of record.networks ?? []) await leaveNetwork(engine, record.id, network)
  networksOf(engine).store.resolvers.remove(record.id)
}

/** Leaves one network; the lease that the container had in it. */
export async function leaveNetwork(
  engine: Engine,
  containerId: string,
  reference: string,
): Promise<Lease | undefined> {
  const { store } = networksOf(engine)
  const network = findNetwork(store.all(), reference)
  if (network === undefined) return undefined
  const has = ({ containerId: id }: Lease): boolean => id === containerId
  // Most containers are asked twice.
  if (!store.leases(network.name).leases.some(has)) return undefined
  using locked = await store.lockLeases(network)
  if (locked === undefined) return undefined
  const book = store.leases(network.name)
  const lease = book.leases.find(has)
  if (lease === undefined) return undefined
  // Whoever builds the firewall's table anew from the leases must not do so between its elements and the record.
  using _ports = lease.ports.length > 0 ? await store.lock() : undefined
  // The record of what is there goes last.
  detachLease(engine, network, lease)
  store.writeLeases(network.name, {
    ...book,
    leases: book.leases.filter((other) => !has(other)),
  })
  recordMember(engine, 'disconnect', network, containerId)
  return lease
}

/** Takes away what was made for a lease. The caller holds the lock of the leases, and with ports that of the networks. */
export function detachLease(engine: Engine, network: NetworkRecord, lease: Lease): void {
  if (lease.ports.length > 0) stopProxy(engine, lease.containerId)
  networksOf(engine).driverOf(network).detach(network, lease)
}
