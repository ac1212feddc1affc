/** What is true of a container now: its record, held against the kernel and the exit record. */
import { type ExitRecord, readExitRecord } from '../monitor/exit-record.ts'
import { readHealth } from '../monitor/health-file.ts'
import type { HealthState } from '../monitor/monitor-protocol.ts'
import type { ReachedLimit } from '../runtime/limits-reached.ts'
import { isAlive } from '../runtime/process-liveness.ts'
import { containerStatus } from '../runtime/status.ts'
import { readContainerRecord } from '../state/state-directory.ts'
import type { ContainerRecord } from './container-record.ts'
import { nextRestart } from './next-restart.ts'

export interface ContainerStatus {
  readonly status: 'creating' | 'created' | 'running' | 'paused' | 'restarting' | 'exited'
  /** Pid of init while it lives, else 0; a running container has 0 when only its monitor is left. */
  readonly pid: number
  readonly exitCode: number
  readonly startedAt: string | undefined
  readonly finishedAt: string | undefined
  readonly error: string
  readonly oomKilled: boolean
  readonly limitsReached: readonly ReachedLimit[]
  /** The container has ended, or a start of it was killed, and its cgroup and runtime state are still there. */
  readonly needsCleanup: boolean
  /** It runs, and its monitor was killed. */
  readonly unwatched: boolean
  /** `none` for one that does not run or has no check. */
  readonly health: HealthState
}

/** A paused container, and one that is about to be started anew, count as running, as in docker. */
export function isLive({ status }: ContainerStatus): boolean {
  return status === 'running' || status === 'paused' || status === 'restarting'
}

/** Exit code of a container whose monitor was killed: nobody saw how it ended. */
const UNKNOWN_EXIT = 255

/** The status of the container in `directory`. */
export function statusOf(record: ContainerRecord, directory: string): ContainerStatus {
  const { state } = record
  const alive =
    state.pid !== undefined && state.startTime !== undefined && isAlive(state.pid, state.startTime)
  if (alive && state.status !== 'restarting')
    return {
      ...common(record),
      status: state.status === 'running' ? runningOrPaused(record) : 'created',
      pid: state.pid ?? 0,
      ...watchOf(record),
      health: healthOf(record, directory),
    }
  if (state.status === 'restarting') return isWatched(record) ? resting(record) : givenUp(record)
  if (state.status !== 'running')
    return { ...common(record), status: state.status, needsCleanup: state.starting === true }
  const exit = readExitRecord(directory)
  // Its last output is still on its way: only then does the monitor write the exit record.
  if (exit === undefined && isWatched(record, false))
    return { ...common(record), status: 'running' }
  return ended(record, exit, directory)
}

/**
 * Whether the monitor of its last start lives. `without` is the answer for a container that has none, as those
 * of the library.
 */
export function isWatched(
  { state: { monitorPid, monitorStartTime } }: ContainerRecord,
  without = true,
): boolean {
  if (monitorPid === undefined || monitorStartTime === undefined) return without
  return isAlive(monitorPid, monitorStartTime)
}

function watchOf(record: ContainerRecord): Pick<ContainerStatus, 'unwatched' | 'error'> {
  const error = `its monitor was killed: its output is lost, and nobody will see how it ends; hint: tsrun restart ${record.name} gives it another one`
  return isWatched(record)
    ? { unwatched: false, error: record.state.error ?? '' }
    : { unwatched: true, error }
}

function resting(record: ContainerRecord): ContainerStatus {
  return { ...common(record), status: 'restarting' }
}

function givenUp(record: ContainerRecord): ContainerStatus {
  const error = neverStartedAnew(record)
  return { ...common(record), status: 'exited', error, needsCleanup: true }
}

function neverStartedAnew({ name }: ContainerRecord): string {
  return `its monitor was killed before it could start it anew; hint: use tsrun start ${name}`
}

// The record says who to ask: reading the cgroup of each container would be most of what `ps` does.
function runningOrPaused({ id, stateRoot, state }: ContainerRecord): 'running' | 'paused' {
  if (state.paused !== true) return 'running'
  const runtimeRecord = readContainerRecord(stateRoot, id)
  return containerStatus(stateRoot, runtimeRecord) === 'paused' ? 'paused' : 'running'
}

function common(record: ContainerRecord) {
  const { state } = record
  return {
    pid: 0,
    exitCode: state.exitCode ?? 0,
    startedAt: state.startedAt,
    finishedAt: state.finishedAt,
    error: state.error ?? '',
    oomKilled: state.oomKilled ?? false,
    limitsReached: state.limitsReached ?? [],
    needsCleanup: false,
    unwatched: false,
    health: 'none' as const,
  }
}

function healthOf(record: ContainerRecord, directory: string): HealthState {
  if (record.health === undefined || record.state.status !== 'running') return 'none'
  return readHealth(directory)?.health ?? 'starting'
}

function ended(
  record: ContainerRecord,
  exit: ExitRecord | undefined,
  directory: string,
): ContainerStatus {
  const mayGoOn = exit !== undefined && nextRestart(record, directory, exit) !== undefined
  const restarts = mayGoOn && isWatched(record, false)
  return {
    ...common(record),
    status: restarts ? 'restarting' : 'exited',
    exitCode: exit?.exitCode ?? UNKNOWN_EXIT,
    finishedAt: exit?.finishedAt,
    error: mayGoOn && !restarts ? neverStartedAnew(record) : howItEnded(exit),
    needsCleanup: true,
  }
}

function howItEnded(exit: ExitRecord | undefined): string {
  return exit === undefined ? 'its monitor was killed, so nobody saw how it ended' : lostLog(exit)
}

function lostLog(exit: ExitRecord): string {
  return exit.logLost === 0 ? '' : `${exit.logLost} bytes of its log could not be written`
}
