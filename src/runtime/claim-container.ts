/** Takes a container id: exactly one of several makers wins, and what a killed maker left is removed. */
import { TsrunError } from '../errors.ts'
import type { OwnedFd } from '../native/owned-fd.ts'
import {
  checkContainerId,
  makeContainerDirectory,
  readContainerRecord,
  removeContainerDirectory,
} from '../state/state-directory.ts'
import { tryLockContainer } from './container-lock.ts'
import { removeHalfMade } from './remove-half-made.ts'

/** The claim on an id while its container is made. */
export interface Claim {
  /** The container is complete. */
  close(): void
  /** The container is not to be: its folder goes. */
  abandon(): void
}

/** Claims `id` below `root`. Throws `already-exists` when a container or its maker has it. */
export async function claimContainer(root: string, id: string, sticky: boolean): Promise<Claim> {
  checkContainerId(id)
  for (let attempt = 0; attempt < 3; attempt++) {
    if (makeContainerDirectory(root, id, sticky)) {
      const lock = tryLockContainer(root, id)
      if (lock !== undefined) return claimOf(root, id, lock)
    } else if (!(await removeIfAbandoned(root, id))) {
      break
    }
  }
  throw new TsrunError('already-exists', `container with id exists: ${id}`, {
    hint: `choose another id, or remove it with tsrun delete ${id}`,
  })
}

function claimOf(root: string, id: string, lock: OwnedFd): Claim {
  return {
    close: () => lock.close(),
    abandon() {
      removeContainerDirectory(root, id)
      lock.close()
    },
  }
}

async function removeIfAbandoned(root: string, id: string): Promise<boolean> {
  try {
    if (readContainerRecord(root, id) !== undefined) return false
    return await removeHalfMade(root, id)
  } catch (error) {
    // Gone between two looks: the id is free.
    if (error instanceof TsrunError && error.kind === 'not-found') return true
    throw error
  }
}
