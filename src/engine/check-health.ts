/** Checks the health of a container when somebody asks, not at its interval. */
import { TsrunError } from '../errors.ts'
import { attachToMonitor, type CheckOutcome } from '../monitor/attach-client.ts'
import type { Engine } from './engine.ts'
import { statusById } from './signal-container.ts'

/** Has the container's monitor run its check. Throws `failed-precondition` where that cannot be. */
export async function checkHealth(engine: Engine, id: string): Promise<CheckOutcome> {
  const { record, status } = statusById(engine, id)
  const refuse = (why: string, hint?: string) =>
    new TsrunError(
      'failed-precondition',
      `cannot check the health of container "${record.name}": ${why}`,
      hint === undefined ? {} : { hint },
    )
  if (record.health === undefined)
    throw refuse('it has no health check', 'give one to tsrun run with --health-cmd')
  if (status.status === 'paused') throw refuse('it is paused', `use tsrun unpause ${record.name}`)
  if (status.status !== 'running') throw refuse('it is not running')
  const options = { output: false, patient: false, owner: false }
  using client = await attachToMonitor(engine.containers.directory(id), options)
  const outcome = await client?.check()
  if (outcome === undefined || outcome.health === 'none')
    throw refuse(status.unwatched ? 'its monitor was killed' : 'it has just ended')
  return outcome
}
