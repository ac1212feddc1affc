/** The host pids of a container's processes. */
import { readlinkSync } from 'node:fs'
import { errnoCodeOf } from '../errors.ts'
import type { ContainerRecord } from '../state/container-record.ts'
import { namesIn } from '../util/if-there.ts'
import { cgroupOf } from './recorded-cgroup.ts'

/** By its cgroup; without one, by its pid namespace where that is its own; else init alone. */
export function containerPids(record: ContainerRecord): readonly number[] {
  const cgroup = cgroupOf(record)
  if (cgroup !== undefined) return cgroup.processes()
  const namespace = pidNamespace(record.pid)
  if (namespace === undefined) return []
  if (namespace === pidNamespace('self')) return [record.pid]
  return namesIn('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => pidNamespace(pid) === namespace)
}

// Undefined for a process that is gone, and for those of others, whose namespaces nobody may see (proc(5)).
function pidNamespace(pid: number | 'self'): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`)
  } catch (error) {
    if (['ENOENT', 'ESRCH', 'EACCES'].includes(errnoCodeOf(error) ?? '')) return undefined
    throw error
  }
}
