/** Removes what a killed `create` left: its free lock says that nobody is making this container any more. */
import { parsePlace } from '../cgroup/cgroup-place.ts'
import { openCgroup } from '../cgroup/open-cgroup.ts'
import { errnoCodeOf, TsrunError } from '../errors.ts'
import { parseContainerRecord } from '../state/container-record.ts'
import {
  checkContainerDirectory,
  PREPARED_RECORD,
  readContainerFile,
  removeContainerDirectory,
} from '../state/state-directory.ts'
import { tryLockContainer } from './container-lock.ts'
import { removeContainerRdt } from './container-rdt.ts'
import { killInit } from './kill.ts'

/** The file that names the cgroup before it is made, so that it can be found after a crash. */
export const CGROUP_FILE = 'cgroup'

/**
 * Removes the half-made container; false when its maker is still at work. `damaged` removes one whose
 * record is there and cannot be read, too.
 */
export async function removeHalfMade(root: string, id: string, damaged = false): Promise<boolean> {
  const lock = tryLockContainer(root, id)
  if (lock === undefined) return false
  try {
    // The maker may have finished between the caller's look and the lock.
    if (!damaged && readOptional(root, id, 'state.json') !== undefined) return false
    checkContainerDirectory(root, id)
    killPrepared(root, id)
    const cgroup = readOptional(root, id, CGROUP_FILE)
    // Empty: its maker was killed between making the file and writing it, so before the cgroup.
    if (cgroup !== undefined && cgroup !== '') await (await openCgroup(parsePlace(cgroup))).remove()
    removeContainerRdt(root, id)
    removeContainerDirectory(root, id)
    return true
  } finally {
    lock.close()
  }
}

// A `run` that was killed between its answer to init and the record may have left a running program.
function killPrepared(root: string, id: string): void {
  const text = readOptional(root, id, PREPARED_RECORD)
  if (text === undefined) return
  try {
    killInit(parseContainerRecord(text, PREPARED_RECORD))
  } catch (error) {
    // Cut short, so its maker had not answered yet, and init ended with it.
    if (!(error instanceof TsrunError)) throw error
  }
}

function readOptional(root: string, id: string, name: string): string | undefined {
  try {
    return readContainerFile(root, id, name)
  } catch (error) {
    if (errnoCodeOf(error) === 'ENOENT') return undefined
    throw error
  }
}
