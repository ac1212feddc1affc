/** `network rm` and `network prune`. */
import { TsrunError } from '../../errors.ts'
import { DEFAULT_NETWORK } from '../../network/network-option.ts'
import type { NetworkRecord } from '../../network/network-record.ts'
import type { Engine } from '../engine.ts'
import { holdsLease } from './join-networks.ts'
import { leaveNetwork } from './leave-networks.ts'
import { networksOf } from './network-engine.ts'
import { recordNetwork } from './record-network.ts'

/** Removes the network with its bridge and its rules; its name. One that a container is in is refused. */
export async function removeNetwork(engine: Engine, reference: string): Promise<string> {
  const { store, driverOf } = networksOf(engine)
  const network = store.resolve(reference)
  await dropDeadLeases(engine, network)
  using leases = await store.lockLeases(network)
  if (leases === undefined)
    throw new TsrunError('not-found', `cannot remove the network "${reference}": it is gone`)
  const users = store.leases(network.name).leases.map(({ containerName }) => containerName)
  if (users.length > 0)
    throw new TsrunError(
      'failed-precondition',
      `cannot remove the network "${network.name}": ${users.join(', ')} ${users.length === 1 ? 'is' : 'are'} in it`,
      { hint: 'stop them first' },
    )
  using _lock = await store.lock()
  driverOf(network).remove(network)
  store.remove(network.name)
  recordNetwork(engine, 'destroy', network)
  return network.name
}

/** Removes every network of the user's that no container, running or not, wants to be in. */
export async function pruneNetworks(engine: Engine): Promise<readonly string[]> {
  const { store } = networksOf(engine)
  const wanted = new Set(
    engine.containers.ids().flatMap((id) => {
      const networks = engine.containers.read(id)?.networks ?? []
      return networks.map(({ network }) => network)
    }),
  )
  const removed: string[] = []
  for (const { name, id } of store.all()) {
    const isWanted = [...wanted].some((reference) => reference === name || id.startsWith(reference))
    if (name !== DEFAULT_NETWORK && !isWanted) removed.push(await removeNetwork(engine, name))
  }
  return removed
}

/** What killed processes have left. */
async function dropDeadLeases(engine: Engine, network: NetworkRecord): Promise<void> {
  const { store } = networksOf(engine)
  for (const { containerId } of store.leases(network.name).leases)
    if (!holdsLease(engine, containerId)) await leaveNetwork(engine, containerId, network.name)
}
