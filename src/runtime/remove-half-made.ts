/** Removes what a killed `create` left: its free lock says that nobody is making this container any more. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { CgroupfsManager } from '../cgroup/cgroupfs-manager.ts'
import { requireCgroups } from '../cgroup/detect.ts'
import { errnoCodeOf } from '../errors.ts'
import {
  containerDirectory,
  readContainerFile,
  removeContainerDirectory,
} from '../state/state-directory.ts'
import { tryLockContainer } from './container-lock.ts'

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
    const cgroup = readOptional(root, id, CGROUP_FILE)
    if (cgroup !== undefined) await new CgroupfsManager(requireCgroups(), cgroup).remove()
    rmSync(join(containerDirectory(root, id), 'start'), { force: true })
    removeContainerDirectory(root, id)
    return true
  } finally {
    lock.close()
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
