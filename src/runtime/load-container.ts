/** A complete container by its id, for the commands that act on one. */
import { TsrunError } from '../errors.ts'
import type { ContainerRecord } from '../state/container-record.ts'
import { containerNotFound, readContainerRecord } from '../state/state-directory.ts'

/**
 * The record of container `id`. What a killed `create` left of it is removed, and then it does not
 * exist. Throws `not-found` for an unknown id, `failed-precondition` while it is being made.
 */
export async function loadContainer(root: string, id: string): Promise<ContainerRecord> {
  const record = readContainerRecord(root, id)
  if (record !== undefined) return record
  const { removeHalfMade } = await import('./remove-half-made.ts')
  if (await removeHalfMade(root, id)) throw containerNotFound(id)
  const finished = readContainerRecord(root, id)
  if (finished !== undefined) return finished
  throw new TsrunError('failed-precondition', `container "${id}" is still being created`, {
    hint: 'wait for its create to end',
  })
}
