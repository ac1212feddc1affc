/** The steps of a create: cgroup, gate, plan, the conversation with the executor, the record. */
import { statSync } from 'node:fs'
import type { CgroupManager } from '../cgroup/cgroup-manager.ts'
import { mayCloneInto } from '../cgroup/may-clone-into.ts'
import { errnoCodeOf, TsrunError } from '../errors.ts'
import { type ExecutorSession, startPlan } from '../native/executor.ts'
import { hostFeatures } from '../native/host-features.ts'
import { hostArchitecture } from '../native/library.ts'
import type { OwnedFd } from '../native/owned-fd.ts'
import { emptyMemfd, seqpacketPair } from '../native/syscalls.ts'
import type { RuntimeConfig } from '../oci/runtime-config.ts'
import { refuseUnsupported } from '../oci/unsupported-features.ts'
import { needsCopyUp } from '../plan/compile/tmpfs-copy-up.ts'
import { type Beginning, beginCreate, type Launch } from '../plan/compile-create.ts'
import { isHostRoot } from '../util/host-user.ts'
import { timed } from '../util/timings.ts'
import { rootfsOf } from './bundle.ts'
import { openConsole } from './console.ts'
import { applyLimits, makeCgroup } from './container-cgroup.ts'
import { makeContainerRdt, removeContainerRdt } from './container-rdt.ts'
import { COPY_UP_SOCKET } from './copy-up.ts'
import type { CreatedContainer, CreateOptions } from './create.ts'
import { driveCreate, endSession } from './drive-create.ts'
import type { RdtGroups } from './intel-rdt.ts'
import { connectPidfdSocket, PIDFD_SOCKET } from './pidfd-socket.ts'
import type { SavedOptions } from './saved-options.ts'
import { type Launcher, takeStandby } from './standby-launcher.ts'
import { startGatePath } from './status.ts'
import { listenUnix } from './unix-socket.ts'
import { findWholeMounts } from './whole-mounts.ts'

/** What is saved for `start`, as far as it is known before init is started. */
export type EarlyOptions = Omit<SavedOptions, 'danglingLinks'>

/** A container in the making, whose launcher waits. */
export interface Begun {
  readonly options: CreateOptions
  readonly bundle: string
  /** To be called once there is an init: from then on hooks may run. */
  readonly begin: () => void
  readonly rootfs: string
  /** The config as it was given, without what `create` completes. */
  readonly given: RuntimeConfig
  /** By the names of the plan's descriptors; and the pidfd socket, and our end of `copyUp`. */
  readonly descriptors: ReadonlyMap<string, number>
  readonly session: ExecutorSession
}

/** And with its cgroup: init can be started. */
export interface Assembly extends Begun {
  readonly saved: EarlyOptions
  readonly cgroup: CgroupManager | undefined
  readonly rdt: RdtGroups | undefined
  /** Init is made in its cgroup, not moved there. */
  readonly cloneIntoCgroup: boolean
  readonly launch: Launch
}

/**
 * Makes the container in its claimed folder. On failure the cgroup and what resctrl got are gone again.
 * The kernel makes the network namespace while Node makes the cgroup, and the others while it compiles.
 */
export async function assembleContainer(
  options: CreateOptions,
  bundle: string,
  given: RuntimeConfig,
  begin: () => void,
): Promise<CreatedContainer> {
  refuseUnsupported(given, hostFeatures())
  const rootfs = rootfsOf(bundle, given)
  checkRootfs(rootfs)
  const opened: OwnedFd[] = []
  try {
    const { beginning, ...launcher } =
      takeStandby(options, given, opened) ?? startLauncher(options, given, opened)
    return await assembleAround({ options, bundle, begin, rootfs, given, ...launcher }, beginning)
  } finally {
    for (const fd of opened) fd.close()
  }
}

function startLauncher(options: CreateOptions, given: RuntimeConfig, opened: OwnedFd[]): Launcher {
  const descriptors = openDescriptors(options, given, opened)
  const beginning = timed('compile', () =>
    beginCreate(given, {
      architecture: hostArchitecture(),
      preservedFds: (options.preserved ?? []).length,
      supervise: options.supervise === true,
      console: descriptors.has('console'),
      gate: descriptors.has('gate'),
    }),
  )
  const session = (options.start ?? startPlan)(beginning.plan, {
    stdio: options.stdio,
    preserved: options.preserved ?? [],
    descriptors: beginning.plan.descriptors.slice(1).map((name) => descriptors.get(name) ?? -1),
  })
  return { beginning, session, descriptors }
}

/** Everything else of the container, while its launcher waits. */
async function assembleAround(begun: Begun, beginning: Beginning): Promise<CreatedContainer> {
  const { options, bundle, rootfs, given, descriptors, session } = begun
  let cgroup: CgroupManager | undefined
  try {
    cgroup = await makeCgroup(options, given)
    const rdt = makeContainerRdt(options.root, options.id, given)
    if (cgroup !== undefined) applyLimits(cgroup, given)
    const saved: EarlyOptions = {
      ...savedOptions(options, rootfs),
      console: descriptors.has('console'),
      ...(cgroup === undefined ? {} : { cgroupMount: cgroup.mountPoint }),
    }
    const cloneIntoCgroup = canCloneInto(cgroup)
    const launch = timed('compile', () =>
      beginning.launch(given, {
        ...saved,
        architecture: hostArchitecture(),
        features: { ...hostFeatures(), cloneIntoCgroup },
        ...(cgroup === undefined ? {} : { cgroupPath: cgroup.place.path }),
        rootfs,
        gate: descriptors.has('gate'),
        lendsNetwork: options.setUpNetwork !== undefined,
        containerId: options.id,
        bundle,
      }),
    )
    return await driveCreate({ ...begun, saved, cgroup, cloneIntoCgroup, launch, rdt })
  } catch (error) {
    endSession(session)
    await cgroup?.remove()
    removeContainerRdt(options.root, options.id)
    throw error
  }
}

function canCloneInto(cgroup: CgroupManager | undefined): boolean {
  const { cloneIntoCgroup } = hostFeatures()
  if (cgroup === undefined || !cloneIntoCgroup || isHostRoot()) return cloneIntoCgroup
  return mayCloneInto(cgroup.place.path, cgroup.mountPoint)
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
  keep('launch', emptyMemfd('tsrun-launch', false))
  keep('plan', emptyMemfd('tsrun-plan', false))
  return descriptors
}
