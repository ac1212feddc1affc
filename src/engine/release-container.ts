/** Gives back to the kernel what a container holds: its root's mount, its cgroup, its runtime state. */
import { TsrunError } from '../errors.ts'
import { deleteContainer } from '../runtime/delete.ts'
import { limitsReachedBy, type ReachedLimit } from '../runtime/limits-reached.ts'
import { readContainerRecord } from '../state/state-directory.ts'
import type { Engine } from './engine.ts'
import { unmountShm } from './joined-namespaces.ts'
import { unmountRoot } from './root-filesystem.ts'

export interface Released {
  /** The limits that the container has run into. */
  readonly limitsReached: readonly ReachedLimit[]
}

/** Kills what still runs. Doing it again is no error. */
export async function releaseContainer(engine: Engine, id: string): Promise<Released> {
  const reached = limitsReached(engine, id)
  await deleteContainer(engine.stateRoot, id, true)
  unmountRoot(engine, id)
  unmountShm(engine, id)
  const record = engine.containers.read(id)
  if (record?.volumes.some(({ name }) => name !== undefined)) {
    const { unmountVolumes } = await import('./volumes/detach-volumes.ts')
    await unmountVolumes(engine, record)
  }
  if (record?.networks !== undefined) {
    const { leaveNetworks } = await import('./networks/leave-networks.ts')
    await leaveNetworks(engine, record)
  }
  if (record?.networkMode.startsWith('cni:')) {
    const { leaveCni } = await import('./networks/cni.ts')
    await leaveCni(engine, record)
  }
  return { limitsReached: reached }
}

function limitsReached(engine: Engine, id: string): readonly ReachedLimit[] {
  try {
    const record = readContainerRecord(engine.stateRoot, id)
    return record === undefined ? [] : limitsReachedBy(record)
  } catch (error) {
    // No state any more, or a damaged one: nothing is known of its cgroup.
    if (error instanceof TsrunError && ['not-found', 'internal'].includes(error.kind)) return []
    throw error
  }
}
