/** The cgroup of a container that is there, by its record. */
import type { CgroupManager } from '../cgroup/cgroup-manager.ts'
import type { CgroupPlace } from '../cgroup/cgroup-place.ts'
import { LiveCgroup } from '../cgroup/live-cgroup.ts'
import { openCgroup } from '../cgroup/open-cgroup.ts'
import type { ContainerRecord } from '../state/container-record.ts'

/** The container's cgroup, when it has one of its own: who is in it, freezing and killing them. */
export function cgroupOf(record: ContainerRecord): LiveCgroup | undefined {
  return record.cgroup === undefined ? undefined : new LiveCgroup(record.cgroup)
}

/** Whoever changes and removes the container's cgroup, when it has one of its own. */
export async function managerOf(record: ContainerRecord): Promise<CgroupManager | undefined> {
  const place = placeOf(record)
  return place === undefined ? undefined : await openCgroup(place)
}

function placeOf({ cgroup, scope }: ContainerRecord): CgroupPlace | undefined {
  if (cgroup === undefined) return undefined
  return { path: cgroup, ...(scope === undefined ? {} : { scope }) }
}
