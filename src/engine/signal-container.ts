/** Sends signals to the processes of containers. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { TsrunError } from '../errors.ts'
import { parseSignal } from '../linux/signals.ts'
import { pidfdSendSignal } from '../native/syscalls.ts'
import { thawContainer } from '../runtime/freeze.ts'
import { openProcess } from '../runtime/process-liveness.ts'
import { type ContainerRecord, shortId } from './container-record.ts'
import { type ContainerStatus, statusOf } from './container-status.ts'
import type { Engine } from './engine.ts'
import { containerEvent } from './events/event.ts'
import { recordEvent } from './events/event-log.ts'
import { STOPPED_MARK } from './next-restart.ts'
import { notRunning } from './not-running.ts'

const SIGKILL = 9

/** Says that the user has ended the container. */
export function markStopped(engine: Engine, id: string): void {
  writeFileSync(join(engine.containers.directory(id), STOPPED_MARK), '', { mode: 0o600 })
}

/** Sends `signal` to the container's first process; one that is to end it counts as a stop, as in docker. */
export function signalContainer(engine: Engine, id: string, signal: number): void {
  const { record, status } = statusById(engine, id)
  if (signal === SIGKILL || signal === signalNumber(record.stopSignal)) markStopped(engine, id)
  if (signalEvenPaused(engine, record, status, signal)) return
  throw notRunning('kill', record.name)
}

/** Parses a signal's name or number, 0 excluded; throws naming the text. */
export function signalNumber(text: string): number {
  const number = parseSignal(text)
  if (number !== undefined && number > 0) return number
  throw new TsrunError(
    'invalid-argument',
    `cannot send the signal "${text}": there is no such signal`,
    { hint: 'give a name such as TERM or SIGKILL, or a number; kill -l lists them' },
  )
}

/** False when the process has ended. */
export function sendSignal(pid: number, startTime: number, signal: number): boolean {
  using pidfd = openProcess(pid, startTime)
  if (pidfd === undefined) return false
  pidfdSendSignal(pidfd.fd, signal)
  return true
}

/** As docker: what a frozen process is sent it gets, so it is thawed. False when there is no process. */
export function signalEvenPaused(
  engine: Engine,
  record: ContainerRecord,
  { pid, status }: ContainerStatus,
  signal: number,
): boolean {
  if (pid === 0 || !sendSignal(pid, record.state.startTime ?? 0, signal)) return false
  recordEvent(engine.dataRoot, containerEvent(record, 'kill', { signal: String(signal) }))
  if (status === 'paused') thawContainer(engine.stateRoot, record.id)
  return true
}

/** The record of a container and what is true of it; throws `not-found`. */
export function statusById(
  engine: Engine,
  id: string,
): { readonly record: ContainerRecord; readonly status: ContainerStatus } {
  const record = engine.containers.read(id)
  if (record === undefined) throw new TsrunError('not-found', `no such container: ${shortId(id)}`)
  return { record, status: statusOf(record, engine.containers.directory(id)) }
}
