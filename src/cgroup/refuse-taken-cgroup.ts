/** What must not be there when a container gets its cgroup: processes of others, and a freeze. */
import { existsSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { TsrunError } from '../errors.ts'
import { cgroupProcesses } from './cgroup-tree.ts'
import type { CgroupHierarchy } from './detect.ts'
import { readIfThere } from './read-if-there.ts'

/**
 * Throws `failed-precondition` when the cgroup at `path` is there already with somebody in or below it, or is
 * frozen, and `invalid-argument` when it is the root of the hierarchy.
 */
export function refuseTakenCgroup(hierarchy: CgroupHierarchy, path: string): void {
  if (resolve(path) === hierarchy.mountPoint) throw isRoot(hierarchy.mountPoint)
  // What is not there yet would be frozen like the cgroup above it.
  let nearest = path
  while (nearest !== hierarchy.mountPoint && !existsSync(nearest)) nearest = dirname(nearest)
  // The root of the hierarchy cannot be frozen.
  if (nearest !== hierarchy.mountPoint) refuseFrozen(nearest, path)
  if (nearest === path) refuseForeignProcesses(path)
}

// Limits and device rules of the container would hold for the host, and stay: nobody can remove this one.
function isRoot(path: string): TsrunError {
  return new TsrunError(
    'invalid-argument',
    `cannot use ${path} as the container's cgroup: it is the root of the hierarchy`,
    { hint: 'name a cgroup below it in linux.cgroupsPath' },
  )
}

// Below it too: the end of the container kills and removes everything down there (cgroup.kill).
function refuseForeignProcesses(path: string): void {
  if (readIfThere(join(path, 'cgroup.events')).split('\n').includes('populated 0')) return
  const foreign = cgroupProcesses(path).length
  if (foreign === 0) return
  throw new TsrunError(
    'failed-precondition',
    `container's cgroup is not empty: ${foreign} process(es) found in ${path}`,
    {
      hint: 'choose another linux.cgroupsPath, or end these processes',
    },
  )
}

// Init would stop before its first instruction, and the caller wait for it for ever.
function refuseFrozen(nearest: string, path: string): void {
  if (!readIfThere(join(nearest, 'cgroup.events')).split('\n').includes('frozen 1')) return
  throw new TsrunError('failed-precondition', `container's cgroup unexpectedly frozen: ${path}`, {
    hint: `write 0 to ${nearest}/cgroup.freeze, or to that of a cgroup above`,
  })
}
