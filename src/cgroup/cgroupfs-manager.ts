/** The cgroup driver that writes files of cgroup v2 itself. */
import { mkdirSync, rmdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { errnoCodeOf, TsrunError } from '../errors.ts'
import type { Resources } from '../oci/runtime-config.ts'
import type { CgroupManager } from './cgroup-manager.ts'
import type { CgroupPlace } from './cgroup-place.ts'
import type { CgroupHierarchy } from './detect.ts'
import { enterCgroup } from './enter-cgroup.ts'
import { LiveCgroup } from './live-cgroup.ts'
import { refuseTakenCgroup } from './refuse-taken-cgroup.ts'
import { plannedWrites, writeLimits } from './write-limits.ts'

/**
 * The directory for `cgroupsPath`, below the mount whether absolute or relative, as with crun: the same value
 * must lead to the same place, whoever asks (config-linux.md "Cgroups Path"). `/tsrun/<id>` when it is not
 * given. `..` never leaves the mount.
 */
export function cgroupPath(
  hierarchy: Pick<CgroupHierarchy, 'mountPoint'>,
  cgroupsPath: string | undefined,
  id: string,
): string {
  const wanted = cgroupsPath === undefined || cgroupsPath === '' ? `/tsrun/${id}` : cgroupsPath
  return join(hierarchy.mountPoint, join('/', wanted))
}

export class CgroupfsManager implements CgroupManager {
  readonly place: CgroupPlace
  readonly #hierarchy: CgroupHierarchy

  constructor(hierarchy: CgroupHierarchy, path: string) {
    this.#hierarchy = hierarchy
    this.place = { path }
  }

  get mountPoint(): string {
    return this.#hierarchy.mountPoint
  }

  async create(): Promise<void> {
    const { path } = this.place
    try {
      // The first directory that was made, if any: in an old one somebody may have come to live.
      if (mkdirSync(path, { recursive: true, mode: 0o755 }) === undefined)
        refuseTakenCgroup(this.#hierarchy, path)
    } catch (cause) {
      if (cause instanceof TsrunError) throw cause
      throw cannotCreate(path, cause)
    }
  }

  limit(resources: Resources): void {
    writeLimits(this.#hierarchy, this.place.path, plannedWrites(resources))
  }

  async enter(pid: number): Promise<void> {
    enterCgroup(this.place.path, pid)
  }

  async settle(): Promise<void> {
    // The directory needs nobody to stay.
  }

  async update(resources: Resources): Promise<void> {
    this.limit(resources)
  }

  async remove(): Promise<void> {
    await new LiveCgroup(this.place.path).remove()
    this.#removeDefaultParent()
  }

  // `tsrun/` is ours alone: it goes with its last container. Another may just be starting there.
  #removeDefaultParent(): void {
    const parent = dirname(this.place.path)
    if (parent !== join(this.#hierarchy.mountPoint, 'tsrun')) return
    try {
      rmdirSync(parent)
    } catch (error) {
      if (!KEPT.includes(errnoCodeOf(error) ?? '')) throw error
    }
  }
}

/** Still in use, gone already, or not ours: root's, where a user without a cgroup passes by. */
const KEPT = ['EBUSY', 'ENOTEMPTY', 'ENOENT', 'EACCES', 'EPERM', 'EROFS']

const HINTS: Readonly<Record<string, string>> = {
  EROFS: 'remount the cgroup2 file system read-write',
  EACCES:
    'this user may make cgroups only below one that is delegated to it: use --systemd-cgroup, start it with systemd-run --user --scope -p Delegate=yes, or without systemd in a cgroup whose directory, cgroup.procs and cgroup.subtree_control root has given to this user',
  EAGAIN: 'a cgroup above has reached its cgroup.max.descendants or cgroup.max.depth',
}

function cannotCreate(path: string, cause: unknown): TsrunError {
  const code = errnoCodeOf(cause) ?? ''
  const hint = HINTS[code]
  return new TsrunError('failed-precondition', `cannot create the cgroup ${path}: ${code}`, {
    cause,
    errno: code,
    ...(hint === undefined ? {} : { hint }),
  })
}
