/**
 * Makes the checks of a container possible without Node: the plan that starts the check's program in the container is
 * compiled once, when the container has been started, and its monitor runs it at every interval. The rules are docker's:
 * a failure in the start period is forgiven, `retries` failures in a row make the container unhealthy, one success
 * makes it healthy.
 */
import type { RuntimeConfig } from '../oci/runtime-config.ts'
import { saveExecPlan } from '../runtime/saved-exec.ts'
import type { ContainerRecord } from './container-record.ts'
import type { Engine } from './engine.ts'
import { processOf } from './exec-in-container.ts'

/** Saves the plan of the checks of a container whose init has been made. */
export async function saveHealthCheck(
  engine: Engine,
  { id, healthCommand }: ContainerRecord,
  config: RuntimeConfig,
): Promise<void> {
  await saveExecPlan({
    root: engine.stateRoot,
    id,
    config,
    // No user and no directory of its own: nothing is looked up in the container.
    process: processOf(config, { args: healthCommand ?? [] }, '/'),
    directory: engine.containers.directory(id),
  })
}
