/** A complete container by its id, for the commands that act on one. */
import { TsrunError } from '../errors.ts'
import type { ContainerRecord } from '../state/container-record.ts'
import { readContainerRecord } from '../state/state-directory.ts'

/** Throws `not-found` for an unknown id, `failed-precondition` while it is being made. */
export function loadContainer(root: string, id: string): ContainerRecord {
  const record = readContainerRecord(root, id)
  if (record !== undefined) return record
  throw new TsrunError('failed-precondition', `container "${id}" is still being created`, {
    hint: 'wait for its create to end, or remove what is left of it with tsrun delete --force',
  })
}
