/** Freezes and thaws the processes of a container (cgroup-v2.rst "cgroup.freeze"). */
import { TsrunError } from '../errors.ts'
import type { ContainerRecord } from '../state/container-record.ts'
import { readContainerRecord } from '../state/state-directory.ts'
import { loadContainer } from './load-container.ts'
import { cgroupOf } from './recorded-cgroup.ts'
import { stateOf } from './state.ts'

/** Freezes all processes of a container that runs; throws `failed-precondition` for any other. */
export async function pauseContainer(root: string, id: string): Promise<void> {
  const record = await loadContainer(root, id)
  const { status } = stateOf(root, record)
  if (status !== 'running' && status !== 'created')
    throw new TsrunError('failed-precondition', `container not running: ${status}`)
  freeze(record, true)
}

/** Lets them go on; throws `failed-precondition` for a container that is not paused. */
export async function resumeContainer(root: string, id: string): Promise<void> {
  const record = await loadContainer(root, id)
  if (stateOf(root, record).status !== 'paused')
    throw new TsrunError('failed-precondition', 'container not paused')
  freeze(record, false)
}

/** Thaws whatever is frozen; one that is not there any more, or has no cgroup, needs no thawing. */
export function thawContainer(root: string, id: string): void {
  const record = readContainerRecord(root, id)
  if (record !== undefined) cgroupOf(record)?.freeze(false)
}

function freeze(record: ContainerRecord, frozen: boolean): void {
  const cgroup = cgroupOf(record)
  if (cgroup === undefined)
    throw new TsrunError(
      'failed-precondition',
      `cannot ${frozen ? 'pause' : 'resume'} container "${record.id}": it has no cgroup of its own`,
    )
  cgroup.freeze(frozen)
}
