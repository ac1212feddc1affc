/** The cgroup of a container in the making: named, made, limited. */
import { attachDeviceFilter } from '../cgroup/attach-device-filter.ts'
import { CgroupfsManager, cgroupPath } from '../cgroup/cgroupfs-manager.ts'
import { detectCgroups, noCgroups } from '../cgroup/detect.ts'
import { compileDeviceFilter } from '../cgroup/device-filter.ts'
import { refuseTakenCgroup } from '../cgroup/refuse-taken-cgroup.ts'
import { resourcesToFiles } from '../cgroup/resources-to-files.ts'
import { TsrunError } from '../errors.ts'
import type { RuntimeConfig } from '../oci/runtime-config.ts'
import { writeContainerFile } from '../state/state-directory.ts'
import { CGROUP_FILE } from './remove-half-made.ts'

export interface CgroupOptions {
  readonly root: string
  readonly id: string
  /** `disabled`: the container stays in the caller's cgroup, without limits (podman's --cgroups=disabled). */
  readonly cgroups?: 'disabled'
}

/** A fresh cgroup, its path noted before it is there; undefined on a host without cgroup v2 when nothing needs one. */
export function makeCgroup(
  options: CgroupOptions,
  config: RuntimeConfig,
): CgroupfsManager | undefined {
  if (options.cgroups === 'disabled') {
    refuseLimits(config)
    return undefined
  }
  const hierarchy = detectCgroups()
  if (hierarchy === undefined) {
    if (!asksForLimits(config)) return undefined
    throw noCgroups()
  }
  const path = cgroupPath(hierarchy, config.linux?.cgroupsPath, options.id)
  const cgroup = new CgroupfsManager(hierarchy, path)
  // Before the path is noted: what is noted may be killed and removed after a crash.
  refuseTakenCgroup(hierarchy, path)
  writeContainerFile(options.root, options.id, CGROUP_FILE, path)
  cgroup.create()
  return cgroup
}

/** The limits and the device rules of the config. Throws `failed-precondition` naming what the kernel refused. */
export function applyLimits(cgroup: CgroupfsManager, config: RuntimeConfig): void {
  const resources = config.linux?.resources ?? {}
  cgroup.apply(resources)
  attachDeviceFilter(cgroup.path, compileDeviceFilter(resources.devices ?? []))
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
