/** `kill`: a signal to a container's init, through a pidfd (runtime-spec runtime.md "Kill"). */
import { errnoCodeOf, TsrunError } from '../errors.ts'
import { pidfdOpen, pidfdSendSignal } from '../native/syscalls.ts'
import type { ContainerRecord } from '../state/container-record.ts'
import { loadContainer } from './load-container.ts'
import { openProcess } from './process-liveness.ts'
import { cgroupOf } from './recorded-cgroup.ts'
import { savedConfig } from './saved-config.ts'
import { canKill, containerStatus } from './status.ts'

const SIGKILL = 9

/**
 * Sends `signal`. Throws "container not running" for a stopped one, which callers match, unless
 * `all` (shim.md: `kill --all` on a stopped container succeeds).
 */
export async function killContainer(
  root: string,
  id: string,
  signal: number,
  all = false,
): Promise<void> {
  const record = await loadContainer(root, id)
  if (!canKill(containerStatus(root, record))) {
    if (signal === SIGKILL && killOrphans(root, record)) return
    if (all) return
    throw notRunning()
  }
  const cgroup = cgroupOf(record)
  if (signal === SIGKILL && cgroup !== undefined && sharesPidNamespace(root, id)) {
    cgroup.kill()
    return
  }
  using pidfd = openProcess(record.pid, record.startTime)
  if (pidfd === undefined) throw notRunning()
  try {
    pidfdSendSignal(pidfd.fd, signal)
  } catch (error) {
    if (errnoCodeOf(error) === 'ESRCH') throw notRunning()
    throw error
  }
}

/** SIGKILL to init if it is still there. */
export function killInit(record: ContainerRecord): void {
  using pidfd = openProcess(record.pid, record.startTime)
  if (pidfd === undefined) return
  try {
    pidfdSendSignal(pidfd.fd, SIGKILL)
  } catch (error) {
    // It ended between the look and the signal.
    if (errnoCodeOf(error) !== 'ESRCH') throw error
  }
}

/** A signal to a process of ours that we still wait for: its pid cannot be another's yet. */
export function signalProcess(pid: number, signal: number): void {
  using pidfd = pidfdOpen(pid)
  if (pidfd === undefined) throw notRunning()
  pidfdSendSignal(pidfd.fd, signal)
}

/** Without a pid namespace of its own, processes can outlive init. False when none did. */
function killOrphans(root: string, record: ContainerRecord): boolean {
  const cgroup = cgroupOf(record)
  if (cgroup === undefined || !sharesPidNamespace(root, record.id)) return false
  if (cgroup.processes().length === 0) return false
  cgroup.kill()
  return true
}

function sharesPidNamespace(root: string, id: string): boolean {
  return !(savedConfig(root, id).linux?.namespaces ?? []).some(
    ({ type, path }) => type === 'pid' && (path ?? '') === '',
  )
}

function notRunning(): TsrunError {
  return new TsrunError('not-found', 'container not running')
}
