/** Undoes what `create` made, then runs the poststop hooks (runtime-spec runtime.md "Lifecycle", steps 12 and 13). */
import { TsrunError } from '../errors.ts'
import { untilReadable } from '../native/readiness.ts'
import type { RuntimeConfig } from '../oci/runtime-config.ts'
import type { ContainerRecord } from '../state/container-record.ts'
import { removeContainerDirectory } from '../state/state-directory.ts'
import { removeContainerRdt } from './container-rdt.ts'
import { runPoststopHooks } from './hooks.ts'
import { killInit } from './kill.ts'
import { openProcess } from './process-liveness.ts'
import { cgroupOf, managerOf } from './recorded-cgroup.ts'

const KILL_TIMEOUT_MS = 10_000

/**
 * Removes a container whose init has ended; the caller holds its lock. Without `config`, which a damaged
 * container may have lost, no hooks run. The result are the failures of poststop hooks: warnings.
 */
export async function destroyContainer(
  root: string,
  record: ContainerRecord,
  config: RuntimeConfig | undefined,
): Promise<readonly unknown[]> {
  await (await managerOf(record))?.remove()
  removeContainerRdt(root, record.id)
  removeContainerDirectory(root, record.id)
  return config === undefined ? [] : await runPoststopHooks(config, record.id, record.bundle)
}

/** Kills init and waits for its end on a pidfd. */
export async function endInit(record: ContainerRecord): Promise<void> {
  using pidfd = openProcess(record.pid, record.startTime)
  if (pidfd === undefined) return
  killInit(record)
  cgroupOf(record)?.kill()
  if (await untilReadable(pidfd.fd, KILL_TIMEOUT_MS)) return
  throw new TsrunError(
    'unavailable',
    `cannot delete container ${record.id}: init ${record.pid} does not end after SIGKILL`,
    {
      hint: 'look at /proc/<pid>/stack: it is in uninterruptible sleep',
    },
  )
}
