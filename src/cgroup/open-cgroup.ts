/** The manager of a cgroup that was made before, by what was remembered of it. */
import type { CgroupManager } from './cgroup-manager.ts'
import type { CgroupPlace } from './cgroup-place.ts'
import { CgroupfsManager } from './cgroupfs-manager.ts'
import { requireCgroups } from './detect.ts'

/** Throws `failed-precondition` on a host without cgroup v2. */
export async function openCgroup({ path, scope }: CgroupPlace): Promise<CgroupManager> {
  const hierarchy = requireCgroups()
  if (scope === undefined) return new CgroupfsManager(hierarchy, path)
  // D-Bus is loaded by those who need it.
  const { SystemdManager } = await import('./systemd-manager.ts')
  return new SystemdManager({ hierarchy, place: { path, scope } })
}
