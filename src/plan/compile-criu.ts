/** The plan whose process becomes criu; for a restore after it has laid out the root filesystem. */
import { CLONE_NEWNS } from '../linux/namespaces.ts'
import { AT_FDCWD } from '../linux/open-flags.ts'
import type { RuntimeConfig } from '../oci/runtime-config.ts'
import { emitRestoreRoot } from './compile/restore-root.ts'
import type { Architecture, Plan } from './plan.ts'
import { PlanBuilder } from './plan-builder.ts'

const CLOSE_RANGE_CLOEXEC = 4

export interface CompileCriuOptions {
  readonly architecture: Architecture
  /** Absolute path of criu. */
  readonly program: string
  readonly environment: readonly string[]
  /** How many descriptors after stdio criu keeps; 3 is its socket. */
  readonly keptDescriptors: number
  readonly restore?: RestoreRoot
}

/** What a restore needs to find before criu runs. */
export interface RestoreRoot {
  /** Absolute path of the root filesystem. */
  readonly rootfs: string
  /** An absolute path without symlinks, of a directory: there criu finds the root filesystem as a mount. */
  readonly place: string
  readonly bundle: string
  /** Its mounts, with bind mounts for what is no mount of its own (withCgroupBinds). */
  readonly config: RuntimeConfig
}

/** Descriptors of the plan: `report` alone. */
export function compileCriu(options: CompileCriuOptions): Plan {
  const b = new PlanBuilder(options.architecture)
  b.descriptor('report')
  const { restore, program, environment, keptDescriptors } = options
  if (restore !== undefined) {
    // A mount namespace of its own: whatever becomes of criu, the host has no mount of it.
    b.at('namespaces', () => b.run('unshare', [CLONE_NEWNS]))
    emitRestoreRoot(b, restore)
  }
  b.at('criu', () => {
    b.run('close_range', [3 + keptDescriptors, 0xffffffff, CLOSE_RANGE_CLOEXEC])
    const argv = b.stringArray([program, 'swrk', '3'])
    b.run('execveat', [AT_FDCWD, b.string(program), argv, b.stringArray(environment), 0], {
      note: program,
    })
  })
  return b.finish()
}
