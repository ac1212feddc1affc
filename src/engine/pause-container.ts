/** `pause` and `unpause`: freezes and thaws all processes of a container. */
import { TsrunError } from '../errors.ts'
import { pauseContainer as freeze, resumeContainer as thaw } from '../runtime/freeze.ts'
import { type ContainerRecord, shortId } from './container-record.ts'
import { statusOf } from './container-status.ts'
import type { Engine } from './engine.ts'
import { containerEvent } from './events/event.ts'
import { recordEvent } from './events/event-log.ts'
import { notRunning } from './not-running.ts'

/** Freezes the container. Throws `failed-precondition` unless it runs and is not paused. */
export async function pauseContainer(engine: Engine, id: string): Promise<void> {
  using lock = await engine.containers.lock(id)
  const record = lock === undefined ? undefined : engine.containers.read(id)
  if (record === undefined) throw notFound(id)
  const { status } = statusOf(record, engine.containers.directory(id))
  if (status === 'paused')
    throw new TsrunError(
      'failed-precondition',
      `cannot pause container "${record.name}": it is already paused`,
    )
  if (status !== 'running') throw notRunning('pause', record.name)
  // First the record: whoever looks asks the cgroup only of a container that it calls paused.
  writePaused(engine, record, true)
  try {
    await freeze(engine.stateRoot, id)
  } catch (error) {
    writePaused(engine, record, false)
    throw error
  }
  recordEvent(engine.dataRoot, containerEvent(record, 'pause'))
}

/** Thaws the container. Throws `failed-precondition` unless it is paused. */
export async function unpauseContainer(engine: Engine, id: string): Promise<void> {
  using lock = await engine.containers.lock(id)
  const record = lock === undefined ? undefined : engine.containers.read(id)
  if (record === undefined) throw notFound(id)
  const { status } = statusOf(record, engine.containers.directory(id))
  if (status !== 'paused')
    throw new TsrunError(
      'failed-precondition',
      `cannot unpause container "${record.name}": it is not paused`,
    )
  await thaw(engine.stateRoot, id)
  writePaused(engine, record, false)
  recordEvent(engine.dataRoot, containerEvent(record, 'unpause'))
}

function writePaused(engine: Engine, record: ContainerRecord, paused: boolean): void {
  engine.containers.write({ ...record, state: { ...record.state, paused } })
}

function notFound(id: string): TsrunError {
  return new TsrunError('not-found', `no such container: ${shortId(id)}`)
}
