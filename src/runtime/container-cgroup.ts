/** The cgroup of a container in the making: named, made, limited. */
import { attachDeviceFilter } from '../cgroup/attach-device-filter.ts'
import type { CgroupManager } from '../cgroup/cgroup-manager.ts'
import { formatPlace } from '../cgroup/cgroup-place.ts'
import { CgroupfsManager, cgroupPath } from '../cgroup/cgroupfs-manager.ts'
import { delegateCgroup } from '../cgroup/delegate-cgroup.ts'
import { type CgroupHierarchy, detectCgroups, noCgroups } from '../cgroup/detect.ts'
import { compileDeviceFilter } from '../cgroup/device-filter.ts'
import { refuseTakenCgroup } from '../cgroup/refuse-taken-cgroup.ts'
import { resourcesToFiles } from '../cgroup/resources-to-files.ts'
import { TsrunError } from '../errors.ts'
import type { RuntimeConfig } from '../oci/runtime-config.ts'
import { writeContainerFile } from '../state/state-directory.ts'
import { cgroupOwner } from './cgroup-owner.ts'
import { CGROUP_FILE } from './remove-half-made.ts'

/**
 * Who makes the cgroup: tsrun itself, or systemd; `disabled`: nobody, and the container stays in the caller's, without
 * limits (podman's --cgroups=disabled).
 */
export type CgroupDriver = 'cgroupfs' | 'systemd' | 'disabled'

export interface CgroupOptions {
  readonly root: string
  readonly id: string
  /** `cgroupfs` when absent. */
  readonly cgroups?: CgroupDriver
  /** Hears of what could not be removed. */
  readonly warn?: (problem: unknown) => void
}

/**
 * A fresh cgroup, its path noted before it is there; undefined on a host without cgroup v2 when nothing needs one.
 * Throws without anything of it being left.
 */
export async function makeCgroup(
  options: CgroupOptions,
  config: RuntimeConfig,
): Promise<CgroupManager | undefined> {
  if (options.cgroups === 'disabled') {
    refuseLimits(config)
    return undefined
  }
  const hierarchy = detectCgroups()
  if (hierarchy === undefined) {
    if (!asksForLimits(config) && options.cgroups !== 'systemd') return undefined
    throw noCgroups()
  }
  const cgroup = await planCgroup(hierarchy, options, config)
  // Before the path is noted: what is noted may be killed and removed after a crash.
  refuseTakenCgroup(hierarchy, cgroup.place.path)
  writeContainerFile(options.root, options.id, CGROUP_FILE, formatPlace(cgroup.place))
  try {
    await cgroup.create(config.linux?.resources ?? {})
    return cgroup
  } catch (error) {
    await removeAnyway(cgroup, options)
    throw error
  }
}

// Why it could not be made is what the user must hear.
async function removeAnyway(cgroup: CgroupManager, { warn }: CgroupOptions): Promise<void> {
  try {
    await cgroup.remove()
  } catch (failure) {
    warn?.(failure)
  }
}

async function planCgroup(
  hierarchy: CgroupHierarchy,
  { id, cgroups }: CgroupOptions,
  config: RuntimeConfig,
): Promise<CgroupManager> {
  const cgroupsPath = config.linux?.cgroupsPath
  if (cgroups !== 'systemd')
    return new CgroupfsManager(hierarchy, cgroupPath(hierarchy, cgroupsPath, id))
  // D-Bus is loaded by those who need it.
  const { planScope } = await import('../cgroup/systemd-manager.ts')
  return await planScope(hierarchy, { id, cgroupsPath, annotations: config.annotations ?? {} })
}

/** The limits, the device rules and the owner of the config. Throws `failed-precondition` naming what the kernel refused. */
export function applyLimits(cgroup: CgroupManager, config: RuntimeConfig): void {
  const resources = config.linux?.resources ?? {}
  cgroup.limit(resources)
  attachDeviceFilter(cgroup.place.path, compileDeviceFilter(resources.devices ?? []))
  // Without root it is our user's already, and no other can be made its owner.
  const owner = process.geteuid?.() === 0 ? cgroupOwner(config) : undefined
  if (owner !== undefined) delegateCgroup(cgroup.place.path, owner)
}

function asksForLimits(config: RuntimeConfig): boolean {
  const { devices: _devices, ...limits } = config.linux?.resources ?? {}
  return resourcesToFiles(limits).length > 0
}

function refuseLimits(config: RuntimeConfig): void {
  if (!asksForLimits(config)) return
  throw new TsrunError(
    'invalid-argument',
    'cannot apply linux.resources: cgroups are disabled for this container',
    { hint: 'leave out --cgroup-manager disabled, or the limits' },
  )
}
