/** `stop`: the stop signal, SIGKILL after a while, and the wait for the end. */
import { cancelRestart } from './cancel-restart.ts'
import { isLive, isWatched } from './container-status.ts'
import type { Engine } from './engine.ts'
import { containerEvent } from './events/event.ts'
import { recordEvent } from './events/event-log.ts'
import { cleanUpContainer } from './remove-container.ts'
import {
  markStopped,
  sendSignal,
  signalEvenPaused,
  signalNumber,
  statusById,
} from './signal-container.ts'
import { waitForExit, waitForProcess } from './wait-container.ts'

const SIGKILL = 9
export const DEFAULT_STOP_TIMEOUT_S = 10

export interface StopOptions {
  /** Seconds until SIGKILL, -1 for never. */
  readonly timeout?: number | undefined
  /** Instead of the container's stop signal. */
  readonly signal?: number | undefined
}

/** Stops the container and waits for its end; one that does not run is left alone. It is not started anew. */
export async function stopContainer(
  engine: Engine,
  id: string,
  options: StopOptions = {},
): Promise<void> {
  markStoppedIfThere(engine, id)
  if (statusById(engine, id).status.status === 'restarting') {
    using lock = await engine.containers.lock(id)
    if (lock !== undefined) cancelRestart(engine, id)
  }
  await endContainer(engine, id, options)
  // Else its monitor does that; or, outside of a user's own namespace, the next command that is inside.
  const isInside = process.geteuid?.() === 0
  const record = engine.containers.read(id)
  if (record !== undefined && isInside && !isWatched(record)) await cleanUpContainer(engine, id)
}

/** As {@link stopContainer}, for a caller that holds the container's lock: its end is not written down. */
export async function endContainer(
  engine: Engine,
  id: string,
  options: StopOptions = {},
): Promise<void> {
  const { record, status } = statusById(engine, id)
  const signal = options.signal ?? signalNumber(record.stopSignal)
  if (!isLive(status) || status.status === 'restarting') return
  const startTime = record.state.startTime ?? 0
  const timeout = options.timeout ?? record.request.stopTimeout ?? DEFAULT_STOP_TIMEOUT_S
  signalEvenPaused(engine, record, status, signal)
  const timeoutMs = timeout < 0 ? -1 : timeout * 1000
  if (!(await waitForProcess(status.pid, startTime, timeoutMs)))
    sendSignal(status.pid, startTime, SIGKILL)
  await waitForExit(engine.containers, id)
  recordEvent(engine.dataRoot, containerEvent(record, 'stop'))
}

function markStoppedIfThere(engine: Engine, id: string): void {
  if (engine.containers.read(id) !== undefined) markStopped(engine, id)
}
