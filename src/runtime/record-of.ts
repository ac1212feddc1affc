/** The record of a container whose init has come to be. */
import type { CgroupPlace } from '../cgroup/cgroup-place.ts'
import { oomCountsAbove } from '../cgroup/limits-reached.ts'
import type { RuntimeConfig } from '../oci/runtime-config.ts'
import type { ContainerRecord } from '../state/container-record.ts'
import { readProcStat } from './process-liveness.ts'
import { streamName } from './stream-name.ts'

/** What the makers of containers know of theirs. */
export interface ContainerInMaking {
  readonly options: { readonly id: string; readonly stdio: readonly number[] }
  readonly config: RuntimeConfig
  readonly bundle: string
  readonly rootfs: string
  readonly cgroup: { readonly place: CgroupPlace; readonly mountPoint: string } | undefined
}

/** Undefined when the process `pid` has ended already. */
export function recordOf(made: ContainerInMaking, pid: number): ContainerRecord | undefined {
  const { options, config, bundle, rootfs, cgroup } = made
  const stat = readProcStat(pid)
  if (stat === undefined) return undefined
  return {
    ociVersion: config.ociVersion,
    id: options.id,
    bundle,
    rootfs,
    created: new Date().toISOString(),
    pid,
    startTime: stat.startTime,
    ...(cgroup === undefined ? {} : recordedCgroup(cgroup)),
    stdio: options.stdio.map(streamName),
    owner: process.geteuid?.() ?? 0,
  }
}

function recordedCgroup({
  place: { path, scope },
  mountPoint,
}: NonNullable<ContainerInMaking['cgroup']>): Pick<
  ContainerRecord,
  'cgroup' | 'scope' | 'oomsAbove'
> {
  const oomsAbove = oomCountsAbove(mountPoint, path)
  return {
    cgroup: path,
    ...(scope === undefined ? {} : { scope }),
    ...(Object.keys(oomsAbove).length === 0 ? {} : { oomsAbove }),
  }
}
