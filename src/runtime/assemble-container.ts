/** The steps of a create: cgroup, gate, plan, the conversation with the executor, the record. */
import { constants, openSync, statSync } from 'node:fs'
import { attachDeviceFilter } from '../cgroup/attach-device-filter.ts'
import { CgroupfsManager, cgroupPath } from '../cgroup/cgroupfs-manager.ts'
import { detectCgroups, noCgroups } from '../cgroup/detect.ts'
import { compileDeviceFilter } from '../cgroup/device-filter.ts'
import { resourcesToFiles } from '../cgroup/resources-to-files.ts'
import { errnoCodeOf, TsrunError } from '../errors.ts'
import { hostFeatures } from '../native/host-features.ts'
import { hostArchitecture } from '../native/library.ts'
import { OwnedFd } from '../native/owned-fd.ts'
import { runtimeConfigWarnings } from '../oci/normalize-runtime-config.ts'
import type { RuntimeConfig } from '../oci/runtime-config.ts'
import { refuseUnsupported } from '../oci/unsupported-features.ts'
import { compileCreate } from '../plan/compile-create.ts'
import type { Plan } from '../plan/plan.ts'
import type { CompiledFilter } from '../seccomp/compile-filter.ts'
import { writeContainerFile } from '../state/state-directory.ts'
import { rootfsOf } from './bundle.ts'
import { openConsole } from './console.ts'
import type { CreatedContainer, CreateOptions } from './create.ts'
import { driveCreate } from './drive-create.ts'
import { completeConfig } from './home-directory.ts'
import { connectPidfdSocket, PIDFD_SOCKET } from './pidfd-socket.ts'
import { CGROUP_FILE } from './remove-half-made.ts'
import type { SavedOptions } from './saved-options.ts'
import { startGatePath } from './status.ts'
import { listenUnix } from './unix-socket.ts'

/** Everything that a container in the making holds; released by {@link Disposable} on every path. */
export interface Assembly {
  readonly options: CreateOptions
  readonly bundle: string
  readonly rootfs: string
  readonly config: RuntimeConfig
  /** The config as it was given, without what `create` completed. */
  readonly given: RuntimeConfig
  readonly saved: SavedOptions
  readonly cgroup: CgroupfsManager | undefined
  readonly plan: Plan
  /** By the names of plan.descriptors; and the pidfd socket. */
  readonly descriptors: ReadonlyMap<string, number>
}

/** Makes the container in its claimed folder. On failure the cgroup is gone again. */
export async function assembleContainer(
  options: CreateOptions,
  bundle: string,
  given: RuntimeConfig,
): Promise<CreatedContainer> {
  const features = hostFeatures()
  refuseUnsupported(given, features)
  const rootfs = rootfsOf(bundle, given)
  checkRootfs(rootfs)
  const config = completeConfig(given, rootfs, options.extraEnv ?? [])
  const cgroup = makeCgroup(options, config)
  const opened: OwnedFd[] = []
  try {
    if (cgroup !== undefined) applyLimits(cgroup, config)
    const descriptors = openDescriptors(options, config, cgroup, opened)
    const saved: SavedOptions = {
      supervise: options.supervise === true,
      tethered: options.tethered === true,
      preservedFds: (options.preserved ?? []).length,
      console: descriptors.has('console'),
      noPivot: options.noPivot === true,
      noNewKeyring: options.noNewKeyring === true,
      ...(cgroup === undefined ? {} : { cgroupMount: cgroup.mountPoint }),
    }
    const filter = await seccompOf(config)
    for (const warning of warningsOf(config, filter)) options.warn?.(warning)
    const plan = compileCreate(config, {
      ...saved,
      architecture: hostArchitecture(),
      features,
      ...filter,
      cgroup: cgroup !== undefined,
      rootfs,
      gate: descriptors.has('gate'),
      containerId: options.id,
      bundle,
    })
    return await driveCreate({
      options,
      bundle,
      rootfs,
      config,
      given,
      saved,
      cgroup,
      plan,
      descriptors,
    })
  } catch (error) {
    await cgroup?.remove()
    throw error
  } finally {
    for (const fd of opened) fd.close()
  }
}

export interface CompiledSeccomp {
  readonly seccomp?: CompiledFilter
}

/** What in `config` has no effect here, each with its place. */
export function warningsOf(config: RuntimeConfig, { seccomp }: CompiledSeccomp): readonly string[] {
  return [...runtimeConfigWarnings(config), ...(seccomp?.warnings ?? [])]
}

/** The compiled filter of `linux.seccomp`, spread into compile options; its tables are loaded only when there is one. */
export async function seccompOf(config: RuntimeConfig): Promise<CompiledSeccomp> {
  const seccomp = config.linux?.seccomp
  if (seccomp === undefined) return {}
  const { compileFilter } = await import('../seccomp/compile-filter.ts')
  return { seccomp: compileFilter(seccomp, hostArchitecture()) }
}

function checkRootfs(rootfs: string): void {
  try {
    if (statSync(rootfs).isDirectory()) return
  } catch (cause) {
    throw new TsrunError('invalid-argument', `invalid rootfs: ${rootfs}: ${errnoCodeOf(cause)}`, {
      cause,
      hint: 'root.path of config.json must be a directory, absolute or below the bundle',
    })
  }
  throw new TsrunError('invalid-argument', `invalid rootfs: ${rootfs} is not a directory`)
}

/** A fresh cgroup, its path noted before it is there; undefined on a host without cgroup v2 when nothing needs one. */
function makeCgroup(options: CreateOptions, config: RuntimeConfig): CgroupfsManager | undefined {
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
  cgroup.refuseForeignProcesses()
  writeContainerFile(options.root, options.id, CGROUP_FILE, path)
  cgroup.create()
  return cgroup
}

function applyLimits(cgroup: CgroupfsManager, config: RuntimeConfig): void {
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

function openDescriptors(
  options: CreateOptions,
  config: RuntimeConfig,
  cgroup: CgroupfsManager | undefined,
  opened: OwnedFd[],
): ReadonlyMap<string, number> {
  const descriptors = new Map<string, number>()
  const keep = (name: string, fd: OwnedFd): void => {
    opened.push(fd)
    descriptors.set(name, fd.fd)
  }
  if (options.startAtOnce !== true)
    keep('gate', listenUnix(startGatePath(options.root, options.id), 'seqpacket'))
  const console = openConsole(config.process?.terminal === true, options)
  if (console !== undefined) {
    if (console.owned) keep('console', console.owned)
    else descriptors.set('console', console.fd)
  }
  if (options.pidfdSocket !== undefined) keep(PIDFD_SOCKET, connectPidfdSocket(options.pidfdSocket))
  if (cgroup !== undefined) {
    const O_PATH = 0o10000000
    keep('cgroup', new OwnedFd(openSync(cgroup.path, constants.O_DIRECTORY | O_PATH)))
  }
  return descriptors
}
