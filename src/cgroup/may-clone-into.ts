/** Whether the kernel lets us make a process in a cgroup at once (clone3(2) CLONE_INTO_CGROUP). */
import { accessSync, constants, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/**
 * Whoever moves a process, or makes it elsewhere, must be allowed to write cgroup.procs of the nearest cgroup above
 * both places too (cgroup-v2.rst "Delegation Containment"). A user who has a cgroup, but was not started in the part of the
 * tree that is delegated, is not: only systemd can move their processes there.
 */
export function mayCloneInto(
  cgroup: string,
  mountPoint: string,
  text = readFileSync('/proc/self/cgroup', 'utf8'),
): boolean {
  const line = text.split('\n').find((entry) => entry.startsWith('0::'))
  const own = join(mountPoint, line?.slice('0::'.length) ?? '')
  let above = cgroup
  while (above !== own && !own.startsWith(`${above}/`) && above !== '/') above = dirname(above)
  return mayWrite(join(above, 'cgroup.procs')) && mayWrite(join(cgroup, 'cgroup.procs'))
}

function mayWrite(path: string): boolean {
  try {
    accessSync(path, constants.W_OK)
    return true
  } catch {
    // Not there, or not ours.
    return false
  }
}
