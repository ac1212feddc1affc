/** The cgroup of a process that joins a container, and the way into it. */
import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { requireCgroups } from '../cgroup/detect.ts'
import { mayCloneInto } from '../cgroup/may-clone-into.ts'
import { TsrunError } from '../errors.ts'
import type { ContainerRecord } from '../state/container-record.ts'
import { isHostRoot } from '../util/host-user.ts'

/**
 * The container's cgroup, or `below` it. A container that has moved its init and enabled controllers
 * (systemd does) has no processes in the top one any more, by the rule of no internal processes:
 * then init's own is the place (cgroup-v2.rst). Undefined for a container without a cgroup of its own.
 */
export function execCgroup(
  { cgroup, pid: init }: ContainerRecord,
  below: string | undefined,
): string | undefined {
  if (cgroup === undefined) return undefined
  if (below !== undefined) return cgroupBelow(cgroup, below)
  // The container may have moved its init away and removed what it was made in.
  if (!existsSync(cgroup)) return ownCgroupOf(init) ?? cgroup
  if (readFileSync(join(cgroup, 'cgroup.subtree_control'), 'utf8').trim() === '') return cgroup
  const own = ownCgroupOf(init)
  return own?.startsWith(`${cgroup}/`) ? own : cgroup
}

function cgroupBelow(cgroup: string, below: string): string {
  const path = join(cgroup, below)
  if (path !== cgroup && path !== `${cgroup}/` && !path.startsWith(`${cgroup}/`))
    throw new TsrunError('invalid-argument', `bad sub cgroup path: ${below}`)
  if (existsSync(path)) return path
  throw new TsrunError(
    'not-found',
    `cannot exec in the cgroup ${path}: no such file or directory`,
    {
      hint: 'make it first: --cgroup takes a cgroup below the one of the container',
    },
  )
}

/** The cgroup v2 directory of a process. */
function ownCgroupOf(pid: number): string | undefined {
  const line = readFileSync(`/proc/${pid}/cgroup`, 'utf8')
    .split('\n')
    .find((entry) => entry.startsWith('0::'))
  return line === undefined
    ? undefined
    : join(requireCgroups().mountPoint, line.slice('0::'.length))
}

/**
 * Whether clone3(CLONE_INTO_CGROUP) can make the process there. The kernel asks whether whoever clones may write both
 * this cgroup's cgroup.procs and that of the nearest one above both places: in the container's user namespace that is
 * nobody any more, once the cgroup belongs to the container's user (config-linux.md "Cgroup ownership").
 */
export function mayEnterByClone(cgroup: string | undefined, inUserNamespace: boolean): boolean {
  if (cgroup === undefined) return true
  if (!isHostRoot() && !mayCloneInto(cgroup, requireCgroups().mountPoint)) return false
  if (!inUserNamespace) return true
  return statSync(join(cgroup, 'cgroup.procs')).uid === process.geteuid?.()
}
