/** `state` and `list`: what there is, as the spec and runc print it. */
import { TsrunError } from '../errors.ts'
import { type ListedState, listedState } from '../oci/runtime-state.ts'
import type { ContainerRecord } from '../state/container-record.ts'
import { hasContainerFiles, listContainerIds } from '../state/state-directory.ts'
import { limitsReachedBy, type ReachedLimit } from './limits-reached.ts'
import { loadContainer } from './load-container.ts'
import { savedConfig } from './saved-config.ts'
import { containerStatus } from './status.ts'
import { userName } from './user-name.ts'

/** The state of container `id`. Throws `not-found`. */
export async function containerState(root: string, id: string): Promise<ListedState> {
  return stateOf(root, await loadContainer(root, id))
}

/** As {@link containerState}; of a stopped container with the limits that it has run into, if any. */
export async function explainedState(
  root: string,
  id: string,
): Promise<ListedState & { readonly limitsReached?: readonly ReachedLimit[] }> {
  const record = await loadContainer(root, id)
  const state = stateOf(root, record)
  const limitsReached = state.status === 'stopped' ? limitsReachedBy(record) : []
  return limitsReached.length === 0 ? state : { ...state, limitsReached }
}

export function stateOf(root: string, record: ContainerRecord): ListedState {
  const { id, bundle, ociVersion, rootfs, pid } = record
  return listedState(
    {
      id,
      bundle,
      ociVersion,
      pid,
      status: containerStatus(root, record),
      annotations: savedConfig(root, id).annotations,
    },
    { rootfs, created: new Date(record.created), owner: userName(record.owner) },
  )
}

/**
 * All complete containers below `root`, by id. What killed creates left is removed; a container whose
 * record is damaged is told to `warn`, and does not hide the others.
 */
export async function listContainers(
  root: string,
  warn: (problem: unknown) => void = () => undefined,
): Promise<readonly ListedState[]> {
  const states: ListedState[] = []
  for (const id of listContainerIds(root)) {
    // A root of somebody else's folders (`--root /tmp`): none of our business.
    if (!hasContainerFiles(root, id)) continue
    try {
      states.push(await containerState(root, id))
    } catch (error) {
      // Deleted between the listing and the look, removed just now, or still being made.
      if (isAbsent(error)) continue
      if (!(error instanceof TsrunError && error.kind === 'internal')) throw error
      warn(error)
    }
  }
  return states
}

function isAbsent(error: unknown): boolean {
  return (
    error instanceof TsrunError &&
    (error.kind === 'not-found' || error.kind === 'failed-precondition')
  )
}
