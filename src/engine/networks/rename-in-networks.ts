/** A container's new name in its networks: from now on the others find it by that one. */
import type { ContainerRecord } from '../container-record.ts'
import type { Engine } from '../engine.ts'
import { findNetwork } from './endpoints.ts'
import { networksOf } from './network-engine.ts'

export async function renameInNetworks(
  engine: Engine,
  { id, networks = [] }: ContainerRecord,
  name: string,
): Promise<void> {
  const { store } = networksOf(engine)
  for (const { network: reference } of networks) {
    const network = findNetwork(store.all(), reference)
    using locked = network === undefined ? undefined : await store.lockLeases(network)
    if (network === undefined || locked === undefined) continue
    const book = store.leases(network.name)
    if (!book.leases.some(({ containerId }) => containerId === id)) continue
    store.writeLeases(network.name, {
      ...book,
      leases: book.leases.map((lease) =>
        lease.containerId === id ? { ...lease, containerName: name } : lease,
      ),
    })
  }
}
