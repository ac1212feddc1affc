/** `start` and `restart`: a container that is there runs its program once more. */
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describeError, TsrunError } from '../errors.ts'
import type { OwnedFd } from '../native/owned-fd.ts'
import type { RuntimeConfig } from '../oci/runtime-config.ts'
import { cancelRestart } from './cancel-restart.ts'
import { type ContainerRecord, shortId } from './container-record.ts'
import { statusOf } from './container-status.ts'
import type { Engine } from './engine.ts'
import { containerEvent } from './events/event.ts'
import { recordEvent } from './events/event-log.ts'
import { mountShm, rejoinNamespaces } from './joined-namespaces.ts'
import { STOPPED_MARK } from './next-restart.ts'
import { releaseContainer } from './release-container.ts'
import { recordEnd } from './remove-container.ts'
import { remountRoot } from './root-filesystem.ts'
import {
  type RunningContainer,
  type StartOptions,
  startUnderMonitor,
} from './start-under-monitor.ts'
import { endContainer, type StopOptions } from './stop-container.ts'

/** Starts the container; undefined when it runs already. A failure is kept in the record, as docker keeps it. */
export async function startContainer(
  engine: Engine,
  id: string,
  options: StartOptions,
): Promise<RunningContainer | undefined> {
  using lock = await lockFinished(engine, id)
  const record = readLocked(engine, id)
  const { status } = statusOf(record, engine.containers.directory(id))
  if (status === 'paused')
    throw new TsrunError(
      'failed-precondition',
      `cannot start container "${record.name}": it is paused`,
      { hint: `use tsrun unpause ${record.name}` },
    )
  if (status === 'running' || status === 'restarting') return undefined
  return await startLocked(engine, lock, record, options)
}

/**
 * Stops the container, if it runs, and starts it. It keeps the lock meanwhile: the clean-up after the end
 * waits, finds it running and leaves it alone, even when it was to be removed after its end.
 */
export async function restartContainer(
  engine: Engine,
  id: string,
  stop: StopOptions,
  options: StartOptions,
): Promise<void> {
  using lock = await lockFinished(engine, id)
  cancelRestart(engine, id)
  await endContainer(engine, id, stop)
  const record = readLocked(engine, id)
  await startLocked(engine, lock, record, options)
  recordEvent(engine.dataRoot, containerEvent(record, 'restart'))
}

async function lockFinished(engine: Engine, id: string): Promise<OwnedFd> {
  const lock = await engine.containers.lock(id)
  if (lock !== undefined && !engine.containers.isUnfinished(id)) return lock
  lock?.close()
  throw notFound(id)
}

function readLocked(engine: Engine, id: string): ContainerRecord {
  const record = engine.containers.read(id)
  if (record === undefined) throw notFound(id)
  return record
}

function notFound(id: string): TsrunError {
  return new TsrunError('not-found', `no such container: ${shortId(id)}`)
}

/**
 * While the start is under way the record says so: when this process is killed the next command sees a
 * start whose lock is free, and takes back what it had made.
 */
export async function startLocked(
  engine: Engine,
  lock: OwnedFd,
  before: ContainerRecord,
  options: StartOptions & {
    /** It is not a user who starts it: the count and the delays of its restarts go on. */
    readonly keepsCount?: boolean
  },
): Promise<RunningContainer> {
  const { containers } = engine
  // What the last run could not give back yet.
  const ended = (await recordEnd(engine, before)) ?? before
  const record = options.keepsCount === true ? ended : withoutCount(ended)
  const directory = containers.directory(record.id)
  containers.write({ ...record, state: { ...record.state, starting: true } })
  try {
    for (const name of staleFiles(options.keepsCount === true))
      rmSync(join(directory, name), { force: true })
    await remountRoot(engine, record)
    mountShm(engine, record.id, record.request)
    const saved = JSON.parse(readFileSync(join(directory, 'config.json'), 'utf8')) as RuntimeConfig
    const config = rejoinNamespaces(engine, record, saved)
    const unlock = () => lock.close()
    return await startUnderMonitor(engine, { record, config, unlock }, options)
  } catch (error) {
    await releaseContainer(engine, record.id)
    const { state } = asEnded(record)
    containers.write({ ...record, state: { ...state, ...failureOf(error) } })
    throw error
  }
}

// A user's stop outlives a start that it has not come in time for.
function staleFiles(isAutomatic: boolean): readonly string[] {
  return ['exit', 'health', ...(isAutomatic ? [] : [STOPPED_MARK])]
}

// A container that has never run stays a new one.
function asEnded(record: ContainerRecord): ContainerRecord {
  if (record.state.status !== 'restarting') return record
  return { ...record, state: { ...record.state, status: 'exited' } }
}

function withoutCount(record: ContainerRecord): ContainerRecord {
  const { restartCount: _count, restartStep: _step, ...state } = record.state
  return { ...record, state }
}

/** docker's exit code of a container that could not be started at all. */
const CANNOT_START = 128

function failureOf(error: unknown): Pick<ContainerRecord['state'], 'error' | 'exitCode'> {
  const exitCode = error instanceof TsrunError ? error.exitCode : undefined
  return { error: describeError(error), exitCode: exitCode ?? CANNOT_START }
}
