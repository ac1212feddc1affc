/** What happens after a container: releasing what it holds, removing it, and finishing what was cut off. */
import { existsSync } from 'node:fs'
import { TsrunError } from '../errors.ts'
import { attachToMonitor } from '../monitor/attach-client.ts'
import type { ReachedLimit } from '../runtime/limits-reached.ts'
import { cancelRestart } from './cancel-restart.ts'
import { type ContainerRecord, shortId } from './container-record.ts'
import { type ContainerStatus, isLive, isWatched, statusOf } from './container-status.ts'
import { discardContainer } from './discard-container.ts'
import type { Engine } from './engine.ts'
import { containerEvent, volumeEvents } from './events/event.ts'
import { recordEvent } from './events/event-log.ts'
import { releaseContainer } from './release-container.ts'
import { sendSignal } from './signal-container.ts'
import { waitForProcess } from './wait-container.ts'

const SIGKILL = 9

export interface RemoveOptions {
  /** Kill it first when it runs. */
  readonly force: boolean
  /** What becomes of the volumes that were made for it alone. */
  readonly volumes?: 'keep' | 'remove'
}

/** Removes a container. Throws `failed-precondition` for one that runs, unless `force` kills it first. */
export async function removeContainer(
  engine: Engine,
  id: string,
  { force, volumes = 'keep' }: RemoveOptions,
): Promise<void> {
  const { containers } = engine
  const record = containers.read(id)
  const status = record && statusOf(record, containers.directory(id))
  if (record === undefined || status === undefined || status.pid === 0) {
    await removeStopped(engine, id, { force, volumes })
    return
  }
  if (!force) throw runs(record, status)
  // As its owner: the monitor then leaves the clean-up to us.
  using monitor = await attachToMonitor(containers.directory(id), {
    output: false,
    patient: false,
    owner: true,
  })
  const startTime = record.state.startTime ?? 0
  sendSignal(status.pid, startTime, SIGKILL)
  await waitForProcess(status.pid, startTime, -1)
  await monitor?.exit
  await removeStopped(engine, id, { force: true, volumes })
  await monitor?.cleaned()
}

/**
 * Releases what an ended container holds, and removes it when it was to be removed. For a container
 * whose maker was killed half way: removes it. One that lives is left alone. The result are the limits that the
 * container had run into.
 */
export async function cleanUpContainer(
  engine: Engine,
  id: string,
): Promise<readonly ReachedLimit[]> {
  const { containers } = engine
  if (containers.isUnfinished(id)) {
    await removeIfAbandoned(engine, id)
    return []
  }
  using lock = await containers.lock(id)
  const record = containers.read(id)
  if (lock === undefined || record === undefined) return []
  const ended = await recordEnd(engine, record)
  if (ended === undefined) return []
  if (ended.autoRemove && ended.state.status === 'exited')
    await discardContainer(engine, id, 'remove')
  return ended.state.limitsReached ?? []
}

/**
 * Releases what a container holds that does not run, and writes down how it ended. The caller holds its lock.
 * `whatNext` may add to that, so that nobody sees the one without the other. Undefined for one that runs.
 */
export async function recordEnd(
  engine: Engine,
  record: ContainerRecord,
  whatNext: (ended: ContainerRecord) => ContainerRecord = (ended) => ended,
): Promise<ContainerRecord | undefined> {
  const status = statusOf(record, engine.containers.directory(record.id))
  if (status.status === 'running' || status.status === 'paused' || status.pid !== 0)
    return undefined
  const { limitsReached } = await releaseContainer(engine, record.id)
  if (!status.needsCleanup) return record
  const ended = whatNext(
    record.state.starting === true && record.state.status !== 'restarting'
      ? withoutStart(record)
      : withEnd(withoutStart(record), { ...status, limitsReached }),
  )
  engine.containers.write(ended)
  if (record.state.starting !== true) recordDeath(engine, ended)
  return ended
}

/** Cleans up after ended containers whose monitor was killed. */
export async function cleanUpEnded(engine: Engine): Promise<void> {
  const { containers } = engine
  for (const id of containers.ids()) {
    const record = containers.read(id)
    if (record === undefined || !statusOf(record, containers.directory(id)).needsCleanup) continue
    // Its monitor does that, and may have it started anew.
    if (isWatched(record, false)) continue
    // A lock that is held is a clean-up under way.
    const isFree = containers.tryLock(id)
    isFree?.close()
    if (isFree !== undefined) await cleanUpContainer(engine, id)
  }
}

/** Removes all containers whose maker was killed. */
export async function removeUnfinished(engine: Engine): Promise<void> {
  for (const id of engine.containers.unfinished()) await removeIfAbandoned(engine, id)
}

async function removeIfAbandoned(engine: Engine, id: string): Promise<void> {
  const { containers } = engine
  using mark = containers.tryTakeOver(id)
  if (mark === undefined) return
  using lock = containers.tryLock(id)
  // Held by another: it removes the container, and the mark stays until that is done.
  if (lock === undefined && existsSync(containers.directory(id))) return
  await releaseContainer(engine, id)
  await discardContainer(engine, id, containers.keepsVolumes(id) ? 'keep' : 'remove')
}

function runs({ name }: ContainerRecord, { status }: ContainerStatus): TsrunError {
  return new TsrunError(
    'failed-precondition',
    `cannot remove container "${name}": it is ${status}`,
    { hint: `stop it first, or use tsrun rm -f ${name}` },
  )
}

async function removeStopped(
  engine: Engine,
  id: string,
  { force, volumes }: { readonly force: boolean; readonly volumes: 'keep' | 'remove' },
): Promise<void> {
  const { containers } = engine
  if (containers.isUnfinished(id)) {
    await removeIfAbandoned(engine, id)
    if (!containers.isUnfinished(id)) return
    if (containers.read(id)?.owned === true) {
      // Its process removes it; the lock is free when that is done.
      ;(await containers.lock(id))?.close()
      return
    }
    throw new TsrunError(
      'failed-precondition',
      `cannot remove container "${shortId(id)}": it is just being made`,
    )
  }
  using lock = await containers.lock(id)
  if (lock === undefined) return
  // It may have been started while we waited.
  const record = containers.read(id)
  const status = record && statusOf(record, containers.directory(id))
  if (!force && record !== undefined && status !== undefined && isLive(status))
    throw runs(record, status)
  cancelRestart(engine, id)
  const current = containers.read(id)
  if (current !== undefined) await recordEnd(engine, current)
  await releaseContainer(engine, id)
  await discardContainer(engine, id, volumes)
}

function recordDeath(engine: Engine, record: ContainerRecord): void {
  const { exitCode = 0, startedAt = '', finishedAt = startedAt, oomKilled } = record.state
  const seconds = Math.max(0, Math.floor((Date.parse(finishedAt) - Date.parse(startedAt)) / 1000))
  if (oomKilled === true) recordEvent(engine.dataRoot, containerEvent(record, 'oom'))
  const death = { exitCode: String(exitCode), execDuration: String(seconds) }
  recordEvent(engine.dataRoot, containerEvent(record, 'die', death))
  for (const event of volumeEvents(record, 'unmount')) recordEvent(engine.dataRoot, event)
}

// Whoever started it was killed before it ran: it is what it was before.
function withoutStart(record: ContainerRecord): ContainerRecord {
  const { starting: _killed, ...state } = record.state
  return { ...record, state }
}

function withEnd(record: ContainerRecord, status: ReturnType<typeof statusOf>): ContainerRecord {
  const { exitCode, finishedAt, error, limitsReached } = status
  return {
    ...record,
    state: {
      ...record.state,
      status: 'exited',
      exitCode,
      oomKilled: limitsReached.some(({ resource }) => resource === 'memory'),
      limitsReached,
      ...(finishedAt === undefined ? {} : { finishedAt }),
      ...(error === '' ? {} : { error }),
    },
  }
}
