/** The processes of a running container: what `top` shows. */
import { hostProcessTable } from '../runtime/host-ps.ts'
import { cgroupOf } from '../runtime/recorded-cgroup.ts'
import { readContainerRecord } from '../state/state-directory.ts'
import { isLive, statusOf } from './container-status.ts'
import type { Engine } from './engine.ts'
import { notRunning } from './not-running.ts'

/** Lines of the host's ps with `options`. Throws `failed-precondition` for a container that does not run. */
export function containerProcessTable(
  engine: Engine,
  id: string,
  options: readonly string[],
): string {
  const record = engine.containers.read(id)
  const status = record && statusOf(record, engine.containers.directory(id))
  if (record === undefined || status === undefined || !isLive(status)) {
    throw notRunning('show the processes of', record?.name ?? id)
  }
  const runtimeRecord = readContainerRecord(engine.stateRoot, id)
  const inCgroup = runtimeRecord === undefined ? [] : (cgroupOf(runtimeRecord)?.processes() ?? [])
  // Without a cgroup only init is known.
  return hostProcessTable(inCgroup.length === 0 ? [status.pid] : inCgroup, options)
}
