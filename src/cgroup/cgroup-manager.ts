/** What the runtime needs of a container's cgroup, whichever driver provides it. */
import type { Resources } from '../oci/runtime-config.ts'
import type { CgroupPlace } from './cgroup-place.ts'

/**
 * A container's cgroup lives from {@link create} to {@link remove}. Init starts inside it; every process of the
 * container stays below it.
 *
 *   create ─► limit ─► (init is made in the directory) ─► settle ─► update … ─► remove
 */
export interface CgroupManager {
  readonly place: CgroupPlace
  /** Where the cgroup2 file system is mounted. */
  readonly mountPoint: string
  /**
   * Makes it, for a container with `resources`. Throws `failed-precondition` when it exists and has processes or
   * is frozen. What a failed create has made, {@link remove} removes.
   */
  create(resources: Resources): Promise<void>
  /** Writes the first limits. Throws `failed-precondition` naming the controller, the file and the errno. */
  limit(resources: Resources): void
  /** Moves a process there that was made outside, where {@link mayCloneInto} says no. Throws `failed-precondition`. */
  enter(pid: number): Promise<void>
  /** Init is inside: what kept the cgroup in being until then may go. */
  settle(): Promise<void>
  /** Changes limits of a container that is there; what `resources` does not have stays. Throws as {@link limit}. */
  update(resources: Resources): Promise<void>
  /** Kills what is left, waits until it is empty, and removes it with all below it. Idempotent. */
  remove(): Promise<void>
}
