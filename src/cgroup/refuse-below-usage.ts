/** runtime-spec `memory.checkBeforeUpdate`: a limit below the usage would start the OOM killer. */
import { TsrunError } from '../errors.ts'
import type { Resources } from '../oci/runtime-config.ts'
import type { LiveCgroup } from './live-cgroup.ts'

/** Throws `failed-precondition` when `resources` asks for the check and `cgroup` uses more than its new limit. */
export function refuseBelowUsage(cgroup: LiveCgroup, resources: Resources): void {
  const { limit = 0, checkBeforeUpdate } = resources.memory ?? {}
  const usage = Number(cgroup.read('memory.current'))
  if (checkBeforeUpdate !== true || limit <= 0 || usage <= limit) return
  throw new TsrunError(
    'failed-precondition',
    `cannot set the memory limit to ${limit}: the container uses ${usage} bytes`,
    { hint: 'choose a higher limit, or leave out memory.checkBeforeUpdate' },
  )
}
