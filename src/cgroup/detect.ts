/** Finds the cgroup v2 hierarchy and says where a missing controller is bound (cgroups(7)). */
import { readFileSync } from 'node:fs'
import { TsrunError } from '../errors.ts'
import { parseMountinfo } from '../linux/parse-mountinfo.ts'

export interface CgroupHierarchy {
  /** Absolute path of the cgroup2 mount. */
  readonly mountPoint: string
  /** `unified`: v2 alone; `hybrid`: v1 controllers beside it. */
  readonly mode: 'unified' | 'hybrid'
  /** Where v1 has each controller: `memory` → `/sys/fs/cgroup/memory`. */
  readonly v1Controllers: ReadonlyMap<string, string>
}

// Where the hierarchy is mounted does not change while a process lives; that there is none may.
let detected: CgroupHierarchy | undefined

/** The hierarchy of this mount namespace, undefined when there is no cgroup2 mount. */
export function detectCgroups(): CgroupHierarchy | undefined {
  detected ??= findCgroups(readFileSync('/proc/self/mountinfo', 'utf8'))
  return detected
}

/** The hierarchy that the text of a mountinfo shows. */
export function findCgroups(mountinfo: string): CgroupHierarchy | undefined {
  const entries = parseMountinfo(mountinfo)
  const v2 = entries.filter(({ fsType }) => fsType === 'cgroup2')
  const chosen = v2.find(({ mountPoint }) => mountPoint === '/sys/fs/cgroup') ?? v2[0]
  if (chosen === undefined) return undefined
  const v1 = new Map<string, string>()
  for (const { fsType, superOptions, mountPoint } of entries) {
    if (fsType !== 'cgroup') continue
    for (const option of superOptions) v1.set(option, mountPoint)
  }
  return {
    mountPoint: chosen.mountPoint,
    mode: v1.size === 0 ? 'unified' : 'hybrid',
    v1Controllers: v1,
  }
}

/** As {@link detectCgroups}; throws `failed-precondition` when there is none. */
export function requireCgroups(): CgroupHierarchy {
  const hierarchy = detectCgroups()
  if (hierarchy !== undefined) return hierarchy
  throw noCgroups()
}

export function noCgroups(): TsrunError {
  return new TsrunError(
    'failed-precondition',
    'cannot find a cgroup v2 hierarchy: no cgroup2 file system is mounted',
    {
      hint: 'mount -t cgroup2 none /sys/fs/cgroup, or boot with systemd.unified_cgroup_hierarchy=1',
    },
  )
}
