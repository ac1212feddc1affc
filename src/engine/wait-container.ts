/** Waits for containers to end, without polling. */
import { TsrunError } from '../errors.ts'
import { decodeWaitStatus } from '../linux/wait-status.ts'
import { attachToMonitor } from '../monitor/attach-client.ts'
import { untilReadable } from '../native/readiness.ts'
import { openProcess } from '../runtime/process-liveness.ts'
import { isLive, isWatched, statusOf } from './container-status.ts'
import type { ContainerStore } from './container-store.ts'

/** Resolves to the container's exit code once it has ended; of an ended one at once. */
export async function waitForExit(store: ContainerStore, id: string): Promise<number> {
  for (;;) {
    const record = store.read(id)
    if (record === undefined) throw new TsrunError('not-found', `no such container: ${id}`)
    const status = statusOf(record, store.directory(id))
    if (status.status === 'exited') return status.exitCode
    const code = await exitFromMonitor(store.directory(id))
    if (code !== undefined) return code
    // A monitor that goes without a word was killed: its container may live on.
    const { startTime = 0, monitorPid = 0, monitorStartTime = 0 } = record.state
    if (status.pid !== 0) await waitForProcess(status.pid, startTime, -1)
    else if (status.status === 'running') await waitForProcess(monitorPid, monitorStartTime, -1)
    else return statusOf(record, store.directory(id)).exitCode
  }
}

/** Waits until the container has ended for good: it is not started anew by its monitor, or nobody is there to do it. */
export async function waitUntilOver(store: ContainerStore, id: string): Promise<void> {
  for (;;) {
    const record = store.read(id)
    if (record === undefined) return
    const status = statusOf(record, store.directory(id))
    const { monitorPid = 0, monitorStartTime = 0 } = record.state
    const watched = isWatched(record, false)
    if (!isLive(status) && !(status.needsCleanup && watched)) return
    if (status.pid !== 0 && watched) await waitForExit(store, id)
    else if (status.pid !== 0) await waitForProcess(status.pid, record.state.startTime ?? 0, -1)
    // It cleans up, waits or starts the container, and goes.
    else await waitForProcess(monitorPid, monitorStartTime, -1)
  }
}

async function exitFromMonitor(directory: string): Promise<number | undefined> {
  using client = await attachToMonitor(directory, { output: false, patient: false, owner: false })
  const status = await client?.exit
  return status === undefined ? undefined : exitCodeOfStatus(status)
}

/** Waits for a process to end, at most `timeoutMs` (-1: for ever); false when it still runs then. */
export async function waitForProcess(
  pid: number,
  startTime: number,
  timeoutMs: number,
): Promise<boolean> {
  using pidfd = openProcess(pid, startTime)
  if (pidfd === undefined) return true
  // A pidfd is readable once its process has ended (pidfd_open(2)).
  return await untilReadable(pidfd.fd, timeoutMs)
}

/** The exit code that a status of wait4(2) stands for: 128 + signal when a signal ended the process. */
export function exitCodeOfStatus(status: number): number {
  return decodeWaitStatus(status).exitCode
}
