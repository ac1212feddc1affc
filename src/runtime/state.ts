/** `state` and `list`: what there is, as the spec and runc print it. */
import { TsrunError } from '../errors.ts'
import { type ListedState, listedState } from '../oci/runtime-state.ts'
import type { ContainerRecord } from '../state/container-record.ts'
import {
  listContainerIds,
  readContainerFile,
  readContainerRecord,
} from '../state/state-directory.ts'
import { loadContainer } from './load-container.ts'
import { containerStatus } from './status.ts'
import { userName } from './user-name.ts'

/** The state of container `id`. Throws `not-found`. */
export function containerState(root: string, id: string): ListedState {
  return stateOf(root, loadContainer(root, id))
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
      annotations: annotationsOf(root, id),
    },
    { rootfs, created: new Date(record.created), owner: userName(record.owner) },
  )
}

/** All complete containers below `root`, by id. */
export function listContainers(root: string): readonly ListedState[] {
  return listContainerIds(root).flatMap((id) => {
    try {
      const record = readContainerRecord(root, id)
      return record === undefined ? [] : [stateOf(root, record)]
    } catch (error) {
      // Deleted between the listing and the look.
      if (error instanceof TsrunError && error.kind === 'not-found') return []
      throw error
    }
  })
}

function annotationsOf(root: string, id: string): Readonly<Record<string, string>> | undefined {
  const config: { annotations?: Record<string, string> } = JSON.parse(
    readContainerFile(root, id, 'config.json'),
  )
  return config.annotations
}
