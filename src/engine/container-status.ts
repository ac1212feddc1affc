/** What is true of a container now: its record, held against the kernel and the exit record. */
import { type ExitRecord, readExitRecord } from '../monitor/exit-record.ts'
import type { ReachedLimit } from '../runtime/limits-reached.ts'
import { isAlive } from '../runtime/process-liveness.ts'
import { containerStatus } from '../runtime/status.ts'
import { readContainerRecord } from '../state/state-directory.ts'
import type { ContainerRecord } from './container-record.ts'

export interface ContainerStatus {
  readonly status: 'creating' | 'created' | 'running' | 'paused' | 'exited'
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
}

/** Exit code of a container whose monitor was killed: nobody saw how it ended. */
const UNKNOWN_EXIT = 255

/** The status of the container in `directory`. */
export function statusOf(record: ContainerRecord, directory: string): ContainerStatus {
  const { state } = record
  const alive =
    state.pid !== undefined && state.startTime !== undefined && isAlive(state.pid, state.startTime)
  if (alive)
    return {
      ...common(record),
      status: state.status === 'running' ? runningOrPaused(record) : 'created',
      pid: state.pid ?? 0,
    }
  if (state.status !== 'running')
    return { ...common(record), status: state.status, needsCleanup: state.starting === true }
  const exit = readExitRecord(directory)
  if (exit === undefined && monitorLives(record)) return { ...common(record), status: 'running' }
  return ended(record, exit)
}

// The program has ended, its last output is on its way: only then does the monitor write the exit record.
function monitorLives({ state: { monitorPid, monitorStartTime } }: ContainerRecord): boolean {
  return (
    monitorPid !== undefined &&
    monitorStartTime !== undefined &&
    isAlive(monitorPid, monitorStartTime)
  )
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
  }
}

function ended(record: ContainerRecord, exit: ExitRecord | undefined): ContainerStatus {
  const error =
    exit === undefined ? 'its monitor was killed, so nobody saw how it ended' : lostLog(exit)
  return {
    ...common(record),
    status: 'exited',
    exitCode: exit?.exitCode ?? UNKNOWN_EXIT,
    finishedAt: exit?.finishedAt,
    error,
    needsCleanup: true,
  }
}

function lostLog(exit: ExitRecord): string {
  return exit.logLost === 0 ? '' : `${exit.logLost} bytes of its log could not be written`
}
