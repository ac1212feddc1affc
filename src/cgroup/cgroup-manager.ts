/** What the runtime needs of a container's cgroup, whichever driver provides it. */
import type { Resources } from '../oci/runtime-config.ts'

/**
 * A container's cgroup lives from {@link create} to {@link remove}. Init starts inside it; every
 * process of the container stays below it.
 */
export interface CgroupManager {
  /** Absolute path of the directory. */
  readonly path: string
  /** Makes it. Throws `failed-precondition` when it exists and has processes. */
  create(): void
  /** Applies limits. Throws `failed-precondition` naming the controller that is missing. */
  apply(resources: Resources): void
  /** Host pids of all processes in it and below. */
  processes(): readonly number[]
  /** Kills every process in it and below (cgroup.kill, 5.14). */
  kill(): void
  /** Freezes or thaws, and waits until that is so. */
  freeze(frozen: boolean): void
  /** Kills what is left, waits until it is empty, and removes it with all below it. Idempotent. */
  remove(): Promise<void>
}
