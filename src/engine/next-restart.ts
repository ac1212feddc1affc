/** Whether a container that has ended is to be started anew: its policy, asked with what is known of its last run. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { readHealth } from '../monitor/health-file.ts'
import type { ContainerRecord } from './container-record.ts'
import { type EndedRun, restartStep } from './restart-policy.ts'

/**
 * There while the user does not want the container to run: whatever its restart policy is, its end is one that was
 * asked for. A file of its own: nobody needs to hold the container's lock to say that.
 */
export const STOPPED_MARK = 'stopped'

/** As restartStep(), of the container in `directory`. */
export function nextRestart(
  record: ContainerRecord,
  directory: string,
  end: { readonly exitCode: number; readonly finishedAt?: string | undefined },
): number | undefined {
  const { request, state } = record
  return restartStep(request.restart ?? { name: 'no', maximumRetryCount: 0 }, {
    exitCode: end.exitCode,
    ranMs: Date.parse(end.finishedAt ?? '') - Date.parse(state.startedAt ?? ''),
    stopped: wasStopped(directory),
    restartCount: state.restartCount ?? 0,
    delayStep: state.restartStep,
    ...unhealthiness(record, directory),
  })
}

/** Whether the user has ended it, and not started it since. */
export function wasStopped(directory: string): boolean {
  return existsSync(join(directory, STOPPED_MARK))
}

/** Whether the container may go on after its end: then nobody but its monitor cleans up after it. */
export function mayRestart({ request, health }: ContainerRecord): boolean {
  return (request.restart?.name ?? 'no') !== 'no' || health?.onFailure === 'restart'
}

function unhealthiness(
  { health }: ContainerRecord,
  directory: string,
): Pick<EndedRun, 'unhealthy'> {
  const action = health?.onFailure
  if (action !== 'restart' && action !== 'stop') return {}
  return readHealth(directory)?.health === 'unhealthy' ? { unhealthy: action } : {}
}
