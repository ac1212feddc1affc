/** `start`: lets a created container run its program (runtime-spec runtime.md "Start"). */
import { rmSync } from 'node:fs'
import { errnoCodeOf, TsrunError } from '../errors.ts'
import { receiveEvent } from '../native/executor-protocol.ts'
import type { RuntimeConfig } from '../oci/runtime-config.ts'
import type { ContainerRecord } from '../state/container-record.ts'
import { lockContainer } from './container-lock.ts'
import { destroyContainer, endInit } from './destroy-container.ts'
import { runHooks } from './hooks.ts'
import { loadContainer } from './load-container.ts'
import { savedConfig } from './saved-config.ts'
import { handOverListener } from './seccomp-listener.ts'
import { takeStartFailure } from './start-failure.ts'
import { stateOf } from './state.ts'
import { canStart, containerStatus, startGatePath } from './status.ts'
import { connectUnix } from './unix-socket.ts'

export interface StartEvents {
  /** The program runs; poststart hooks do not yet. */
  readonly onStarted?: () => void
  /** Hears of what goes wrong after a failed hook. */
  readonly warn?: (problem: unknown) => void
}

/**
 * Starts the container. Throws `failed-precondition` when it is not `created`, and when its program
 * could not be executed. A startContainer or poststart hook that fails is the end of the container, which is
 * destroyed (runtime.md "Lifecycle").
 */
export async function startContainer(
  root: string,
  id: string,
  events: StartEvents = {},
): Promise<void> {
  await loadContainer(root, id)
  using _lock = await lockContainer(root, id)
  const record = await loadContainer(root, id)
  const failure = takeStartFailure(root, id)
  if (failure !== undefined) throw await execFailure(root, record, failure.pc, failure.errno)
  const status = containerStatus(root, record)
  if (!canStart(status)) throw cannotStart(status)
  const config = savedConfig(root, id)
  if (config.process === undefined) throw noProcess()
  try {
    await passGate(root, record, config)
  } catch (error) {
    if (isHookFailure(error)) await endOfLife(root, record, config, events)
    throw error
  }
  events.onStarted?.()
  try {
    await runHooks(config, 'poststart', stateOf(root, record))
  } catch (error) {
    await endOfLife(root, record, config, events)
    throw error
  }
}

// The hook's failure is what the caller has to hear: what fails after it must not hide it.
async function endOfLife(
  root: string,
  record: ContainerRecord,
  config: RuntimeConfig,
  { warn }: StartEvents,
): Promise<void> {
  try {
    await endInit(record)
    for (const failure of await destroyContainer(root, record, config)) warn?.(failure)
  } catch (problem) {
    warn?.(problem)
  }
}

/** Whether a hook that the plan runs, startContainer, is what failed. */
function isHookFailure(error: unknown): boolean {
  const cause = error instanceof TsrunError ? error.cause : undefined
  const origin = typeof cause === 'object' && cause !== null && 'origin' in cause && cause.origin
  return typeof origin === 'string' && origin.startsWith('/hooks/')
}

// runc's words for each state.
function cannotStart(status: string): TsrunError {
  const text: Readonly<Record<string, string>> = {
    stopped: 'cannot start a container that has stopped',
    running: 'cannot start an already running container',
    paused: 'cannot start an already running container',
  }
  return new TsrunError(
    'failed-precondition',
    text[status] ?? `cannot start a container in the ${status} state`,
  )
}

// runtime.md "Start": without a process there is a container, but nothing to start.
function noProcess(): TsrunError {
  return new TsrunError(
    'failed-precondition',
    'cannot use "config.json": /process is required to start a container',
    { hint: 'the container was created without one: exec in it, or delete it' },
  )
}

async function passGate(
  root: string,
  record: ContainerRecord,
  config: RuntimeConfig,
): Promise<void> {
  const path = startGatePath(root, record.id)
  using connection = connectGate(path)
  const first = await receiveEvent(connection.fd)
  // From here on the container counts as started, whatever comes of the exec.
  rmSync(path, { force: true })
  if (first.type === 'failed') throw await execFailure(root, record, first.pc, first.errno)
  if (first.type !== 'starting') throw cannotStart('stopped')
  await passListener(root, record, config, connection.fd)
  const second = await receiveEvent(connection.fd)
  if (second.type === 'failed') throw await execFailure(root, record, second.pc, second.errno)
}

async function passListener(
  root: string,
  record: ContainerRecord,
  config: RuntimeConfig,
  report: number,
): Promise<void> {
  await handOverListener({
    report,
    process: record,
    config,
    // Its gate is gone, but its program does not run yet.
    state: { ...stateOf(root, record), status: 'created', pid: record.pid },
    failure: (event) =>
      event.type === 'failed'
        ? execFailure(root, record, event.pc, event.errno)
        : cannotStart('stopped'),
  })
}

function connectGate(path: string) {
  try {
    return connectUnix(path, 'seqpacket')
  } catch (error) {
    if (errnoCodeOf(error) === 'ECONNREFUSED') throw cannotStart('stopped')
    throw error
  }
}

// The plan itself is gone with `create`; it is the same for the same config, so it is made again.
async function execFailure(
  root: string,
  record: ContainerRecord,
  pc: number,
  errno: number,
): Promise<TsrunError> {
  const { explainSavedFailure } = await import('./explain-saved-failure.ts')
  const cause = await explainSavedFailure(root, record, pc, errno)
  return new TsrunError(cause.kind, `cannot start container "${record.id}"`, {
    cause,
    ...(cause.exitCode === undefined ? {} : { exitCode: cause.exitCode }),
  })
}
