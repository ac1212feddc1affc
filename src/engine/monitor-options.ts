/** What a container's record asks of its monitor. */
import type { MonitorOptions } from '../monitor/launch-monitor.ts'
import type { OwnedFd } from '../native/owned-fd.ts'
import { pidfdOpen } from '../native/syscalls.ts'
import { LOG_FILE } from './container-logs.ts'
import type { ContainerRecord } from './container-record.ts'
import type { Engine } from './engine.ts'
import { checkSchedule } from './health-config.ts'
import { DEFAULT_LOG } from './log-settings.ts'
import { signalNumber } from './signal-container.ts'
import { DEFAULT_STOP_TIMEOUT_S } from './stop-container.ts'

/** `foreground`: this process stays with the container. */
export function monitorOptionsOf(
  engine: Engine,
  record: ContainerRecord,
  { foreground }: { readonly foreground: boolean },
): MonitorOptions {
  const { request, health } = record
  const log = request.log ?? DEFAULT_LOG
  return {
    directory: engine.containers.directory(record.id),
    logFile: log.driver === 'none' ? undefined : LOG_FILE,
    logMaxSize: log.maxSize,
    logMaxFiles: log.maxFiles,
    terminal: record.terminal,
    input: record.openStdin,
    inputOnce: record.openStdin && !record.terminal,
    rows: 0,
    columns: 0,
    timeoutMs: (request.timeout ?? 0) * 1000,
    tethers: request.dieWithParent === true ? tethers(foreground) : [],
    check: health === undefined ? undefined : checkSchedule(health),
    stopSignal: signalNumber(record.stopSignal),
    stopTimeoutMs: stopTimeoutMs(request.stopTimeout ?? DEFAULT_STOP_TIMEOUT_S),
    cleanup: [...engine.command, 'internal-cleanup', record.id],
  }
}

// In the background this process ends at once, and whoever has started it is the one to die with.
function tethers(foreground: boolean): OwnedFd[] {
  const pids = foreground ? [process.ppid, process.pid] : [process.ppid]
  return pids.map((pid) => pidfdOpen(pid)).filter((pidfd) => pidfd !== undefined)
}

function stopTimeoutMs(seconds: number): number | undefined {
  return seconds < 0 ? undefined : seconds * 1000
}
