/** Controllers for a cgroup: cgroup.subtree_control of all directories above it (cgroup-v2.rst "Controlling Controllers"). */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { errnoCodeOf, TsrunError } from '../errors.ts'
import type { CgroupHierarchy } from './detect.ts'
import { readIfThere } from './read-if-there.ts'

/** The controllers that the hierarchy has. */
export function availableControllers({ mountPoint }: CgroupHierarchy): readonly string[] {
  return words(readIfThere(join(mountPoint, 'cgroup.controllers')))
}

/**
 * Enables `needed` of the `available` controllers in the cgroup at `path`, from the top down, and all others where that can be: for their
 * numbers alone (memory.current, pids.current, io.stat). Throws `failed-precondition` naming the controller.
 */
export function enableControllers(
  hierarchy: CgroupHierarchy,
  path: string,
  available: readonly string[],
  needed: ReadonlySet<string>,
): void {
  for (const controller of needed)
    if (!available.includes(controller)) throw missingController(hierarchy, controller)
  for (const directory of ancestors(hierarchy, path)) enableIn(directory, available, needed)
}

/** The directories above `path`, from the mount point on: their subtree_control decides for it. */
function ancestors({ mountPoint }: CgroupHierarchy, path: string): readonly string[] {
  const parts = path
    .slice(mountPoint.length)
    .split('/')
    .filter((part) => part !== '')
  return parts.map((_, i) => join(mountPoint, ...parts.slice(0, i)))
}

function missingController(hierarchy: CgroupHierarchy, controller: string): TsrunError {
  const v1 = hierarchy.v1Controllers.get(controller)
  const where =
    v1 === undefined ? 'the kernel does not offer it there' : `it is bound to cgroup v1 at ${v1}`
  return new TsrunError(
    'failed-precondition',
    `cannot set a ${controller} limit: the cgroup v2 hierarchy at ${hierarchy.mountPoint} has no ${controller} controller, ${where}`,
    {
      hint:
        v1 === undefined
          ? `run without this limit, or a kernel with the ${controller} controller (see /proc/cgroups)`
          : 'boot with systemd.unified_cgroup_hierarchy=1 (or cgroup_no_v1=all), or run without this limit',
    },
  )
}

function enableIn(
  directory: string,
  available: readonly string[],
  needed: ReadonlySet<string>,
): void {
  const file = join(directory, 'cgroup.subtree_control')
  const enabled = new Set(words(readIfThere(file)))
  const missing = available.filter((controller) => !enabled.has(controller))
  if (missing.length === 0) return
  try {
    // The kernel takes all of them or none.
    writeFileSync(file, missing.map((controller) => `+${controller}`).join(' '))
  } catch {
    for (const controller of missing) enableOne(file, directory, controller, needed)
  }
}

function enableOne(
  file: string,
  directory: string,
  controller: string,
  needed: ReadonlySet<string>,
): void {
  try {
    writeFileSync(file, `+${controller}`)
  } catch (cause) {
    if (!needed.has(controller)) return
    throw cannotEnable(directory, controller, cause)
  }
}

function cannotEnable(directory: string, controller: string, cause: unknown): TsrunError {
  const code = errnoCodeOf(cause) ?? ''
  const hint = HINTS[code]?.(directory, controller)
  return new TsrunError(
    'failed-precondition',
    `cannot enable the ${controller} controller in ${directory}: write "+${controller}" to cgroup.subtree_control: ${code}`,
    { cause, errno: code, ...(hint === undefined ? {} : { hint }) },
  )
}

const delegate = (_directory: string, controller: string): string =>
  `delegate it: Delegate=cpu cpuset io memory pids in a drop-in of user@.service (systemctl edit user@.service), or without systemd give this user ${controller} in the cgroup above`

const HINTS: Readonly<Record<string, (directory: string, controller: string) => string>> = {
  EBUSY: (directory) =>
    `${directory} has processes of its own, and a cgroup cannot have both these and children with limits (the rule of no internal processes): move them to a child cgroup, or choose another linux.cgroupsPath`,
  EOPNOTSUPP: (directory) =>
    `${directory} is a threaded cgroup, or has processes beside threaded ones: see its cgroup.type, and choose another linux.cgroupsPath`,
  ENOENT: delegate,
  EACCES: delegate,
  EPERM: delegate,
  EROFS: () => 'remount the cgroup2 file system read-write',
}

function words(text: string): readonly string[] {
  return text.split(/\s+/).filter((word) => word !== '')
}
