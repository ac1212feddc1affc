/** Sends signals to containers, and stops them. */
import { TsrunError } from '../errors.ts'
import { parseSignal } from '../linux/signals.ts'
import { pidfdSendSignal } from '../native/syscalls.ts'
import { thawContainer } from '../runtime/freeze.ts'
import { openProcess } from '../runtime/process-liveness.ts'
import { type ContainerRecord, shortId } from './container-record.ts'
import { type ContainerStatus, statusOf } from './container-status.ts'
import type { Engine } from './engine.ts'
import { waitForExit, waitForProcess } from './wait-container.ts'

const SIGKILL = 9
const DEFAULT_TIMEOUT_S = 10

export interface StopOptions {
  /** Seconds until SIGKILL, -1 for never. */
  readonly timeout?: number | undefined
  /** Instead of the container's stop signal. */
  readonly signal?: number | undefined
}

/** Stops the container and waits for its end; one that does not run is left alone. */
export async function stopContainer(
  engine: Engine,
  id: string,
  options: StopOptions = {},
): Promise<void> {
  const { record, status, startTime } = running(engine, id)
  const signal = options.signal ?? signalNumber(record.stopSignal)
  if (status.status !== 'running' && status.status !== 'paused') return
  const timeout = options.timeout ?? record.request.stopTimeout ?? DEFAULT_TIMEOUT_S
  signalEvenPaused(engine, record, status, signal)
  const timeoutMs = timeout < 0 ? -1 : timeout * 1000
  if (!(await waitForProcess(status.pid, startTime, timeoutMs)))
    sendSignal(status.pid, startTime, SIGKILL)
  await waitForExit(engine.containers, id)
}

/** Sends `signal` to the container's first process. */
export function signalContainer(engine: Engine, id: string, signal: number): void {
  const { record, status } = running(engine, id)
  if (signalEvenPaused(engine, record, status, signal)) return
  throw new TsrunError(
    'failed-precondition',
    `cannot signal container "${shortId(id)}": it is not running`,
  )
}

/** Parses a signal's name or number, 0 excluded; throws naming the text. */
export function signalNumber(text: string): number {
  const number = parseSignal(text)
  if (number !== undefined && number > 0) return number
  throw new TsrunError(
    'invalid-argument',
    `cannot send the signal "${text}": there is no such signal`,
  )
}

/** False when the process has ended. */
export function sendSignal(pid: number, startTime: number, signal: number): boolean {
  using pidfd = openProcess(pid, startTime)
  if (pidfd === undefined) return false
  pidfdSendSignal(pidfd.fd, signal)
  return true
}

// As docker: what a frozen process is sent it gets, so it is thawed.
function signalEvenPaused(
  engine: Engine,
  record: ContainerRecord,
  { pid, status }: ContainerStatus,
  signal: number,
): boolean {
  if (pid === 0 || !sendSignal(pid, record.state.startTime ?? 0, signal)) return false
  if (status === 'paused') thawContainer(engine.stateRoot, record.id)
  return true
}

function running(engine: Engine, id: string) {
  const record = engine.containers.read(id)
  if (record === undefined) throw new TsrunError('not-found', `no such container: ${shortId(id)}`)
  const status = statusOf(record, engine.containers.directory(id))
  return { record, status, startTime: record.state.startTime ?? 0 }
}
