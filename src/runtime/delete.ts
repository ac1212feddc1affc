/** `delete`: removes what `create` made (runtime-spec runtime.md "Delete"). */
import { TsrunError } from '../errors.ts'
import type { RuntimeConfig } from '../oci/runtime-config.ts'
import type { ContainerRecord } from '../state/container-record.ts'
import { containerExists, readContainerRecord } from '../state/state-directory.ts'
import { lockContainer } from './container-lock.ts'
import { destroyContainer, endInit } from './destroy-container.ts'
import { removeHalfMade } from './remove-half-made.ts'
import { savedConfig } from './saved-config.ts'
import { canDelete, containerStatus } from './status.ts'

export interface DeleteResult {
  /** Failures of poststop hooks: warnings, as the spec says. */
  readonly hookFailures: readonly unknown[]
}

/**
 * Removes a stopped container. With `force` a running one is killed first, and an unknown one is no
 * error. Throws `not-found`, and `failed-precondition` for one that still runs.
 */
export async function deleteContainer(
  root: string,
  id: string,
  force: boolean,
): Promise<DeleteResult> {
  if (force && !containerExists(root, id)) return { hookFailures: [] }
  const record = readRecord(root, id, force)
  if (record === undefined) {
    if (await removeHalfMade(root, id, force)) return { hookFailures: [] }
    throw new TsrunError(
      'failed-precondition',
      `cannot delete container "${id}": it is still being created`,
    )
  }
  return await deleteRecorded(root, record, force)
}

// What --force cannot read, it removes all the same: the cgroup's name is in a file of its own.
function readRecord(root: string, id: string, force: boolean): ContainerRecord | undefined {
  try {
    return readContainerRecord(root, id)
  } catch (error) {
    if (force && error instanceof TsrunError && error.kind === 'internal') return undefined
    throw error
  }
}

async function deleteRecorded(
  root: string,
  record: ContainerRecord,
  force: boolean,
): Promise<DeleteResult> {
  using lock = await lockForDelete(root, record.id, force)
  if (lock === undefined) return { hookFailures: [] }
  const status = containerStatus(root, record)
  if (!canDelete(status)) {
    // A created container has not begun to run: runc removes it without --force too.
    if (!force && status !== 'created') {
      throw new TsrunError(
        'failed-precondition',
        `cannot delete container ${record.id} that is not stopped: ${status}`,
        {
          hint: 'stop it first, or use --force',
        },
      )
    }
    await endInit(record)
  }
  const config = configFor(root, record.id, force)
  return { hookFailures: await destroyContainer(root, record, config) }
}

// A container that lost its config can still be removed, with --force; its hooks are lost with it.
function configFor(root: string, id: string, force: boolean): RuntimeConfig | undefined {
  try {
    return savedConfig(root, id)
  } catch (error) {
    if (force && error instanceof TsrunError) return undefined
    throw error
  }
}

// Undefined: another delete was faster, which is what --force wants.
async function lockForDelete(
  root: string,
  id: string,
  force: boolean,
): Promise<Disposable | undefined> {
  try {
    return await lockContainer(root, id)
  } catch (error) {
    if (force && error instanceof TsrunError && error.kind === 'not-found') return undefined
    throw error
  }
}
