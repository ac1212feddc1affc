/** The steps of a create: cgroup, gate, plan, the conversation with the executor, the record. */
import { constants, openSync, statSync } from 'node:fs'
import type { CgroupManager } from '../cgroup/cgroup-manager.ts'
import { errnoCodeOf, TsrunError } from '../errors.ts'
import { hostFeatures } from '../native/host-features.ts'
import { hostArchitecture } from '../native/library.ts'
import { OwnedFd } from '../native/owned-fd.ts'
import { emptyMemfd, seqpacketPair } from '../native/syscalls.ts'
import type { RuntimeConfig } from '../oci/runtime-config.ts'
import { refuseUnsupported } from '../oci/unsupported-features.ts'
import { needsCopyUp } from '../plan/compile/tmpfs-copy-up.ts'
import { compileInParts, type PlanInParts } from '../plan/compile-create.ts'
import { timed } from '../util/timings.ts'
import { rootfsOf } from './bundle.ts'
import { openConsole } from './console.ts'
import { applyLimits, makeCgroup } from './container-cgroup.ts'
import { makeContainerRdt, removeContainerRdt } from './container-rdt.ts'
import { COPY_UP_SOCKET } from './copy-up.ts'
import type { CreatedContainer, CreateOptions } from './create.ts'
import { driveCreate } from './drive-create.ts'
import { completeConfig } from './home-directory.ts'
import type { RdtGroups } from './intel-rdt.ts'
import { connectPidfdSocket, PIDFD_SOCKET } from './pidfd-socket.ts'
import type { SavedOptions } from './saved-options.ts'
import { startGatePath } from './status.ts'
import { listenUnix } from './unix-socket.ts'
import { findWholeMounts } from './whole-mounts.ts'

/** What is saved for `start`, as far as it is known before init is started. */
export type EarlyOptions = Omit<SavedOptions, 'danglingLinks'>

/** Everything that a container in the making holds; released by {@link Disposable} on every path. */
export interface Assembly {
  readonly options: CreateOptions
  readonly bundle: string
  /** To be called once there is an init: from then on hooks may run. */
  readonly begin: () => void
  readonly rootfs: string
  readonly config: RuntimeConfig
  /** The config as it was given, without what `create` completed. */
  readonly given: RuntimeConfig
  readonly saved: EarlyOptions
  readonly cgroup: CgroupManager | undefined
  readonly rdt: RdtGroups | undefined
  readonly parts: PlanInParts
  /** By the names of the plan's descriptors; and the pidfd socket, and our end of `copyUp`. */
  readonly descriptors: ReadonlyMap<string, number>
}

/** Makes the container in its claimed folder. On failure the cgroup and what resctrl got are gone again. */
export async function assembleContainer(
  options: CreateOptions,
  bundle: string,
  given: RuntimeConfig,
  begin: () => void,
): Promise<CreatedContainer> {
  const features = hostFeatures()
  refuseUnsupported(given, features)
  const rootfs = rootfsOf(bundle, given)
  checkRootfs(rootfs)
  const config = completeConfig(given, rootfs, options.extraEnv ?? [])
  const cgroup = await makeCgroup(options, config)
  const opened: OwnedFd[] = []
  try {
    const rdt = makeContainerRdt(options.root, options.id, config)
    if (cgroup !== undefined) applyLimits(cgroup, config)
    const descriptors = openDescriptors(options, config, cgroup, opened)
    const saved: EarlyOptions = {
      ...savedOptions(options, rootfs),
      console: descriptors.has('console'),
      ...(cgroup === undefined ? {} : { cgroupMount: cgroup.mountPoint }),
    }
    const parts = timed('compile', () =>
      compileInParts(config, {
        ...saved,
        architecture: hostArchitecture(),
        features,
        cgroup: cgroup !== undefined,
        rootfs,
        gate: descriptors.has('gate'),
        containerId: options.id,
        bundle,
      }),
    )
    return await driveCreate({
      options,
      bundle,
      begin,
      rootfs,
      config,
      given,
      saved,
      cgroup,
      parts,
      descriptors,
      rdt,
    })
  } catch (error) {
    await cgroup?.remove()
    removeContainerRdt(options.root, options.id)
    throw error
  } finally {
    for (const fd of opened) fd.close()
  }
}

function savedOptions(
  options: CreateOptions,
  rootfs: string,
): Omit<EarlyOptions, 'console' | 'cgroupMount'> {
  return {
    supervise: options.supervise === true,
    tethered: options.tethered === true,
    preservedFds: (options.preserved ?? []).length,
    noPivot: options.noPivot === true,
    wholeMounts: options.noPivot === true ? findWholeMounts(rootfs) : [],
    noNewKeyring: options.noNewKeyring === true,
  }
}

/** Throws `invalid-argument` unless there is a directory. */
export function checkRootfs(rootfs: string): void {
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

function openDescriptors(
  options: CreateOptions,
  config: RuntimeConfig,
  cgroup: CgroupManager | undefined,
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
  if (needsCopyUp(config)) {
    const [ours, theirs] = seqpacketPair()
    keep(COPY_UP_SOCKET, ours)
    keep('copyUp', theirs)
  }
  if (cgroup !== undefined) {
    const O_PATH = 0o10000000
    keep('cgroup', new OwnedFd(openSync(cgroup.place.path, constants.O_DIRECTORY | O_PATH)))
  }
  keep('plan', emptyMemfd('tsrun-plan', false))
  return descriptors
}
