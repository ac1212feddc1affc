/** The state of a container and what may be done in it (runtime-spec runtime.md "State"). */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { errnoCodeOf } from '../errors.ts'
import { isDeadState } from '../linux/parse-proc-stat.ts'
import type { ContainerRecord } from '../state/container-record.ts'
import { containerDirectory } from '../state/state-directory.ts'
import { readProcStat } from './process-liveness.ts'

/** The name that the plan gives init until it executes its program (PR_SET_NAME). */
const WAITING_INIT = 'tsrun:[init]'

/** The spec's states, and runc's `paused`. */
export type ContainerStatus = 'creating' | 'created' | 'running' | 'paused' | 'stopped'

/** The state right now, from the kernel; `record` is undefined for a container that is half made. */
export function containerStatus(
  root: string,
  record: ContainerRecord | undefined,
): ContainerStatus {
  if (record === undefined) return 'creating'
  const stat = readProcStat(record.pid)
  if (stat === undefined || stat.startTime !== record.startTime || isDeadState(stat.state))
    return 'stopped'
  // A `start` that was killed may leave the gate behind; the exec has changed the name then.
  if (existsSync(startGatePath(root, record.id)) && stat.comm === WAITING_INIT) return 'created'
  return isFrozen(record.cgroup) ? 'paused' : 'running'
}

/** The socket that init waits at; removed when the container was started. */
export function startGatePath(root: string, id: string): string {
  return join(containerDirectory(root, id), 'start')
}

export function canStart(status: ContainerStatus): boolean {
  return status === 'created'
}

export function canKill(status: ContainerStatus): boolean {
  return status === 'created' || status === 'running' || status === 'paused'
}

export function canExec(status: ContainerStatus): boolean {
  return status === 'created' || status === 'running'
}

export function canDelete(status: ContainerStatus): boolean {
  return status === 'stopped'
}

function isFrozen(cgroup: string | undefined): boolean {
  if (cgroup === undefined) return false
  try {
    return readFileSync(join(cgroup, 'cgroup.freeze'), 'utf8').trim() === '1'
  } catch (error) {
    // The root cgroup has no such file, and a removed one has none at all.
    if (errnoCodeOf(error) === 'ENOENT' || errnoCodeOf(error) === 'ENODEV') return false
    throw error
  }
}
