/** Gives a cgroup to the user that its container runs as, who may then make cgroups below it (config-linux.md "Cgroup ownership", cgroups(7)). */
import { chownSync } from 'node:fs'
import { join } from 'node:path'
import { errnoCodeOf, TsrunError } from '../errors.ts'
import { readTextIfThere } from '../util/if-there.ts'

/** The kernel's list of the files that a delegation includes (4.15). */
const LIST = '/sys/kernel/cgroup/delegate'
const WITHOUT_LIST = ['cgroup.procs', 'cgroup.subtree_control', 'cgroup.threads']
const SAME_GROUP = -1

/**
 * Makes `uid` of the host the owner of the directory at `path` and of the files in it that the kernel lists.
 * All others, its limits above all, stay ours.
 */
export function delegateCgroup(path: string, uid: number, list = LIST): void {
  const files = readTextIfThere(list)
    ?.split('\n')
    .filter((file) => file !== '')
  chown(path, uid)
  for (const file of files ?? WITHOUT_LIST) chown(join(path, file), uid)
}

function chown(path: string, uid: number): void {
  try {
    chownSync(path, uid, SAME_GROUP)
  } catch (cause) {
    const code = errnoCodeOf(cause)
    // Some files belong to a controller that is not enabled here.
    if (code === 'ENOENT') return
    throw new TsrunError('failed-precondition', `cannot give ${path} to the user ${uid}: ${code}`, {
      cause,
      hint: 'mount /sys/fs/cgroup read-only in the container, or leave out its cgroup namespace',
    })
  }
}
