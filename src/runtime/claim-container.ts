/** Takes a container id: exactly one of several makers wins, and what a killed maker left is removed. */
import { setTimeout as sleep } from 'node:timers/promises'
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

const MAX_ATTEMPTS = 20
const RETRY_MS = 1

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
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    if (makeContainerDirectory(root, id, sticky)) {
      const lock = lockIfThere(root, id)
      if (lock !== undefined) return claimOf(root, id, lock)
    } else if (isComplete(root, id)) {
      break
    }
    // Somebody makes it, or took it for abandoned between its making and its lock, and removes it.
    if (!(await removeIfAbandoned(root, id))) await sleep(RETRY_MS)
  }
  throw new TsrunError('already-exists', `container with id exists: ${id}`, {
    hint: `choose another id, or remove it with tsrun delete ${id}`,
  })
}

function lockIfThere(root: string, id: string): OwnedFd | undefined {
  try {
    return tryLockContainer(root, id)
  } catch (error) {
    if (error instanceof TsrunError && error.kind === 'not-found') return undefined
    throw error
  }
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

function isComplete(root: string, id: string): boolean {
  try {
    return readContainerRecord(root, id) !== undefined
  } catch (error) {
    if (error instanceof TsrunError && error.kind === 'not-found') return false
    throw error
  }
}

async function removeIfAbandoned(root: string, id: string): Promise<boolean> {
  try {
    return await removeHalfMade(root, id)
  } catch (error) {
    // Gone between two looks: the id is free.
    if (error instanceof TsrunError && error.kind === 'not-found') return true
    throw error
  }
}
