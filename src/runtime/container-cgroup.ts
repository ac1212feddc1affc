/** The cgroup of a container in the making: named, made, limited. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { attachDeviceFilter } from '../cgroup/attach-device-filter.ts'
import type { CgroupManager } from '../cgroup/cgroup-manager.ts'
import { formatPlace } from '../cgroup/cgroup-place.ts'
import { CgroupfsManager, cgroupPath } from '../cgroup/cgroupfs-manager.ts'
import { delegateCgroup } from '../cgroup/delegate-cgroup.ts'
import { delegatedCgroup } from '../cgroup/delegated-cgroup.ts'
import { type CgroupHierarchy, detectCgroups, noCgroups } from '../cgroup/detect.ts'
import { compileDeviceFilter } from '../cgroup/device-filter.ts'
import { refuseTakenCgroup } from '../cgroup/refuse-taken-cgroup.ts'
import { resourcesToFiles } from '../cgroup/resources-to-files.ts'
import { TsrunError } from '../errors.ts'
import { hostFeatures } from '../native/host-features.ts'
import type { DeviceRule, RuntimeConfig } from '../oci/runtime-config.ts'
import { containerFile, writeContainerFile } from '../state/state-directory.ts'
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
  /**
   * A container that asks for no limits and names no cgroup goes without one where we may not make it, as with runc:
   * the rule for who has no root (`--rootless`).
   */
  readonly rootlessCgroups?: boolean
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
    if (!mayGoWithout(options, config, error)) throw error
    rmSync(containerFile(options.root, options.id, CGROUP_FILE), { force: true })
    return undefined
  }
}

const REFUSALS = ['EACCES', 'EPERM', 'EROFS']

function mayGoWithout(
  { rootlessCgroups, cgroups }: CgroupOptions,
  config: RuntimeConfig,
  error: unknown,
): boolean {
  const isRefused = error instanceof TsrunError && REFUSALS.includes(error.errno ?? '')
  const isFree = (config.linux?.cgroupsPath ?? '') === '' && !asksForLimits(config)
  return rootlessCgroups === true && cgroups !== 'systemd' && isRefused && isFree
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
  { id, cgroups, rootlessCgroups }: CgroupOptions,
  config: RuntimeConfig,
): Promise<CgroupManager> {
  const cgroupsPath = config.linux?.cgroupsPath
  if (cgroups !== 'systemd') {
    const own = (cgroupsPath ?? '') === '' && rootlessCgroups === true
    const delegated = own ? delegatedCgroup(hierarchy) : undefined
    const path =
      delegated === undefined
        ? cgroupPath(hierarchy, cgroupsPath, id)
        : join(delegated, 'tsrun', id)
    return new CgroupfsManager(hierarchy, path)
  }
  // D-Bus is loaded by those who need it.
  const { planScope } = await import('../cgroup/systemd-manager.ts')
  return await planScope(hierarchy, { id, cgroupsPath, annotations: config.annotations ?? {} })
}

/** The limits, the device rules and the owner of the config. Throws `failed-precondition` naming what the kernel refused. */
export function applyLimits(cgroup: CgroupManager, config: RuntimeConfig): void {
  const resources = config.linux?.resources ?? {}
  cgroup.limit(resources)
  filterDevices(cgroup.place.path, resources.devices ?? [])
  // Without root it is our user's already, and no other can be made its owner.
  const owner = process.geteuid?.() === 0 ? cgroupOwner(config) : undefined
  if (owner !== undefined) delegateCgroup(cgroup.place.path, owner)
}

// Without CAP_BPF there is no filter. Nobody in such a container can make devices, and those that it is given are the
// host's, with the host's rights; but a rule that takes a right away from all is one that somebody counts on.
function filterDevices(path: string, rules: readonly DeviceRule[]): void {
  try {
    attachDeviceFilter(path, compileDeviceFilter(rules))
  } catch (error) {
    const isRefused = error instanceof TsrunError && error.kind === 'permission-denied'
    const isNeeded = rules.some(({ allow, access }) => !allow && !isAllAccess(access))
    if (!isRefused || isNeeded || hostFeatures().makesDevices) throw error
  }
}

function isAllAccess(access = 'rwm'): boolean {
  return ['r', 'w', 'm'].every((right) => access.includes(right))
}

/** Whether anything but device rules is asked for. */
export function asksForLimits(config: RuntimeConfig): boolean {
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
