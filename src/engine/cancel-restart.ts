/** A container that has ended and waits to be started anew is not started any more. */
import type { ContainerRecord } from './container-record.ts'
import type { Engine } from './engine.ts'
import { sendSignal } from './signal-container.ts'

const SIGKILL = 9

/** The caller holds the container's lock. Its monitor has nothing left but to wait: it goes at once. */
export function cancelRestart(engine: Engine, id: string): void {
  const record = engine.containers.read(id)
  if (record?.state.status !== 'restarting') return
  engine.containers.write(asEnded(record))
  const { monitorPid, monitorStartTime } = record.state
  if (monitorPid !== undefined && monitorStartTime !== undefined)
    sendSignal(monitorPid, monitorStartTime, SIGKILL)
}

function asEnded(record: ContainerRecord): ContainerRecord {
  return { ...record, state: { ...record.state, status: 'exited' } }
}
