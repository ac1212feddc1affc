/** Where a user without root may make cgroups: what systemd, or an administrator, has delegated (cgroup-v2.rst "Delegation"). */
import { accessSync, constants, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { CgroupHierarchy } from './detect.ts'

/** Who may write these and the directory may make cgroups there, put processes in them and limit them. */
const NEEDED_FILES = ['cgroup.procs', 'cgroup.subtree_control']

/**
 * The cgroup above ours when it is ours to write, else our own; undefined when neither is. Ours has us in it, so
 * that the kernel enables no controllers there (the rule of no internal processes): the one above is the better place.
 */
export function delegatedCgroup(
  { mountPoint }: Pick<CgroupHierarchy, 'mountPoint'>,
  text = readFileSync('/proc/self/cgroup', 'utf8'),
): string | undefined {
  const own = ownCgroup(text)
  if (own === undefined) return undefined
  const candidates = own === '/' ? ['/'] : [dirname(own), own]
  return candidates.map((path) => join(mountPoint, path)).find(isDelegated)
}

/** Our place in the hierarchy of v2; undefined where it is outside of what we see (cgroup_namespaces(7)). */
function ownCgroup(text: string): string | undefined {
  const line = text.split('\n').find((entry) => entry.startsWith('0::'))
  const path = line?.slice('0::'.length)
  return path?.startsWith('/') !== true || path.startsWith('/..') ? undefined : path
}

function isDelegated(directory: string): boolean {
  try {
    accessSync(directory, constants.W_OK)
    for (const file of NEEDED_FILES) accessSync(join(directory, file), constants.W_OK)
    return true
  } catch {
    // Whatever keeps us from writing there, it is not the place.
    return false
  }
}
