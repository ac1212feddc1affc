/** Connects to a running container's streams after its start. */
import { TsrunError } from '../errors.ts'
import { type AttachClient, attachToMonitor } from '../monitor/attach-client.ts'
import type { Engine } from './engine.ts'
import { containerEvent } from './events/event.ts'
import { recordEvent } from './events/event-log.ts'
import { notRunning } from './not-running.ts'
import { statusById } from './signal-container.ts'

export interface AttachStreams {
  readonly onOutput: (stream: 'stdout' | 'stderr', bytes: Buffer) => void
  /** Hears of how many bytes of output were left out, the caller having lagged. */
  readonly onSkipped: (bytes: number) => void
}

/**
 * The container waits only a moment for a caller that does not read: from then on output is left out.
 * Throws `failed-precondition` when it does not run.
 */
export async function attachContainer(
  engine: Engine,
  id: string,
  streams: AttachStreams,
): Promise<AttachClient> {
  const directory = engine.containers.directory(id)
  const client = await attachToMonitor(directory, {
    output: true,
    patient: false,
    owner: false,
    ...streams,
  })
  if (client !== undefined) {
    const record = engine.containers.read(id)
    if (record !== undefined) recordEvent(engine.dataRoot, containerEvent(record, 'attach'))
    return client
  }
  throw notPossible(engine, id)
}

function notPossible(engine: Engine, id: string): TsrunError {
  const { record, status } = statusById(engine, id)
  const action = `cannot attach to container "${record.name}"`
  if (status.pid === 0) return notRunning('attach to', record.name)
  if (status.unwatched)
    return new TsrunError('failed-precondition', `${action}: its monitor was killed`, {
      hint: `tsrun restart ${record.name} gives it another one`,
    })
  return new TsrunError('unavailable', `${action}: too many clients are attached already`, {
    hint: `end one of them, or use tsrun logs -f ${record.name}`,
  })
}
