/** `state` and `list`: what there is, as the spec and runc print it. */
import { TsrunError } from '../errors.ts'
import type { ContainerRecord } from '../state/container-record.ts'
import {
  listContainerIds,
  readContainerFile,
  readContainerRecord,
} from '../state/state-directory.ts'
import { loadContainer } from './load-container.ts'
import { type ContainerStatus, containerStatus } from './status.ts'

/** runtime-spec's state with the fields that runc adds. */
export interface ContainerState {
  readonly ociVersion: string
  readonly id: string
  /** 0 when stopped. */
  readonly pid: number
  readonly status: ContainerStatus
  readonly bundle: string
  readonly rootfs: string
  readonly created: string
  readonly annotations?: Readonly<Record<string, string>>
  readonly owner: string
}

/** The state of container `id`. Throws `not-found`. */
export function containerState(root: string, id: string): ContainerState {
  return stateOf(root, loadContainer(root, id))
}

export function stateOf(root: string, record: ContainerRecord): ContainerState {
  const status = containerStatus(root, record)
  const annotations = annotationsOf(root, record.id)
  return {
    ociVersion: record.ociVersion,
    id: record.id,
    pid: status === 'stopped' ? 0 : record.pid,
    status,
    bundle: record.bundle,
    rootfs: record.rootfs,
    created: record.created,
    ...(annotations === undefined ? {} : { annotations }),
    owner: '',
  }
}

/** All complete containers below `root`, by id. */
export function listContainers(
  root: string,
): readonly (ContainerState & { readonly ownerUid: number })[] {
  return listContainerIds(root).flatMap((id) => {
    try {
      const record = readContainerRecord(root, id)
      return record === undefined ? [] : [{ ...stateOf(root, record), ownerUid: record.owner }]
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
