/**
 * A launcher ahead of need, for programs that make one container after the other: it is started while the container
 * before still runs, makes the network namespace and waits for its plan. The next container that it fits goes on from
 * there. Nothing of a container is in it: its plan is always the same, and it gets streams and all else from the one
 * that takes it.
 *
 * It ends by itself when its socket is closed, so whenever this process ends, and when nobody wanted it for a while:
 * what it inherited (niceness, limits, v1 cgroups) is not to grow old.
 */
import { type ExecutorSession, startPlan } from '../native/executor.ts'
import { reapLauncher } from '../native/executor-protocol.ts'
import { hostArchitecture } from '../native/library.ts'
import type { OwnedFd } from '../native/owned-fd.ts'
import { sendStreams } from '../native/pass-descriptors.ts'
import { emptyMemfd } from '../native/syscalls.ts'
import type { RuntimeConfig } from '../oci/runtime-config.ts'
import { makesNetworkEarly } from '../plan/compile/namespaces.ts'
import { needsCopyUp } from '../plan/compile/tmpfs-copy-up.ts'
import { type Beginning, beginCreate } from '../plan/compile-create.ts'
import type { CreateOptions } from './create.ts'

/** For a program that starts a container every few seconds, or more often. */
const IDLE_MS = 5000
/** Room for the plans of a usual container. */
const READY_MEMORY = 112 << 10
/** What a second container says of a third, a first does not say of a second. */
const CONTAINERS_BEFORE = 2

export interface Launcher {
  readonly beginning: Beginning
  readonly session: ExecutorSession
  /** By the names of the plan's descriptors. */
  readonly descriptors: ReadonlyMap<string, number>
}

interface Standby extends Launcher {
  readonly files: readonly OwnedFd[]
  /** Of this process when it was started: it has the same rights. */
  readonly credentials: string
  readonly timer: NodeJS.Timeout
}

let standby: Standby | undefined
let fitting = 0

/**
 * Whether a launcher that was started without knowing the container serves it as well as one of its own: one with a
 * new network namespace and nothing else that must be there before the launcher is.
 */
export function fitsStandby(options: CreateOptions, config: RuntimeConfig): boolean {
  return (
    options.standby === true &&
    options.supervise === true &&
    options.startAtOnce === true &&
    options.start === undefined &&
    options.pidfdSocket === undefined &&
    (options.preserved ?? []).length === 0 &&
    options.stdio.every((fd) => fd >= 0) &&
    config.process?.terminal !== true &&
    !needsCopyUp(config) &&
    makesNetworkEarly(config)
  )
}

/** The waiting launcher, with the container's streams; undefined when there is none. `opened` gets what it has open. */
export function takeStandby(
  options: CreateOptions,
  config: RuntimeConfig,
  opened: OwnedFd[],
): Launcher | undefined {
  if (!fitsStandby(options, config)) return undefined
  fitting++
  const taken = standby
  if (taken === undefined) return undefined
  standby = undefined
  clearTimeout(taken.timer)
  // A program that has given rights up is not to make containers with those it had. And the launcher may have been
  // killed. Either way the container gets one of its own.
  if (taken.credentials !== credentials() || !sendStreams(taken.session.report.fd, options.stdio)) {
    end(taken)
    return undefined
  }
  opened.push(...taken.files)
  return taken
}

/** Starts the next launcher, once this process has made containers that fit one. A failure costs but time. */
export function prepareStandby(options: CreateOptions, config: RuntimeConfig): void {
  if (standby !== undefined || fitting < CONTAINERS_BEFORE || !fitsStandby(options, config)) return
  // A worker ends without closing what it has open.
  if (!process.getBuiltinModule('node:worker_threads').isMainThread) return
  try {
    standby = start()
  } catch {
    // Too many processes or descriptors, say: the next container starts its own launcher, and says what is wrong.
  }
}

function start(): Standby {
  const files = [emptyMemfd('tsrun-launch', false)]
  try {
    files.push(emptyMemfd('tsrun-plan', false))
    const descriptors = new Map(['launch', 'plan'].map((name, i) => [name, files[i]?.fd ?? -1]))
    const beginning = beginCreate(
      { ociVersion: '1.0.0', linux: { namespaces: [{ type: 'network' }] } },
      {
        architecture: hostArchitecture(),
        preservedFds: 0,
        supervise: true,
        console: false,
        gate: false,
        standby: true,
      },
    )
    const session = startPlan(beginning.plan, {
      stdio: [-1, -1, -1],
      descriptors: [...descriptors.values()],
      memory: READY_MEMORY,
    })
    // Unreferenced: nobody's program is to live longer for it.
    const timer = setTimeout(dropStandby, IDLE_MS).unref()
    return { beginning, session, descriptors, files, credentials: credentials(), timer }
  } catch (error) {
    for (const file of files) file.close()
    throw error
  }
}

function credentials(): string {
  const ids = [process.getuid, process.geteuid, process.getgid, process.getegid]
  return [...ids.map((id) => id?.call(process)), ...(process.getgroups?.() ?? [])].join(' ')
}

/** Ends the launcher that waits, if any. */
export function dropStandby(): void {
  const dropped = standby
  standby = undefined
  if (dropped !== undefined) end(dropped)
}

function end({ session, files, timer }: Standby): void {
  clearTimeout(timer)
  for (const file of files) file.close()
  session[Symbol.dispose]()
  reapLauncher(session.launcher.pid)
}
