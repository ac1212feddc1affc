/** `create`: makes a container whose init waits at the start gate (runtime-spec runtime.md "Create"). */
import { resolve } from 'node:path'
import type { ExecutorSession, StartOptions } from '../native/executor.ts'
import type { ExitStatus } from '../native/syscalls.ts'
import { checkRootlessConfig } from '../oci/rootless-config.ts'
import type { RuntimeConfig } from '../oci/runtime-config.ts'
import type { Plan } from '../plan/plan.ts'
import type { ContainerRecord } from '../state/container-record.ts'
import { assembleContainer } from './assemble-container.ts'
import { readBundleConfig } from './bundle.ts'
import { claimContainer } from './claim-container.ts'
import type { CgroupDriver } from './container-cgroup.ts'
import { runPoststopHooks } from './hooks.ts'

/** A network namespace that was just made. */
export interface NewNetwork {
  /** Descriptor of the namespace. */
  readonly namespace: number
  /** Descriptor of an rtnetlink(7) socket of the namespace. */
  readonly socket: number
  /** Pidfd of the container's init. */
  readonly process: number
}

export interface CreateOptions {
  /** Runtime root, such as /run/tsrun. */
  readonly root: string
  readonly id: string
  readonly bundle: string
  /** Already validated; read from the bundle's config.json when absent. */
  readonly config?: RuntimeConfig
  /** Become 0, 1 and 2 of the process. */
  readonly stdio: readonly [number, number, number]
  /** Become 3, 4, … of the process. */
  readonly preserved?: readonly number[]
  /** Added to process.env. */
  readonly extraEnv?: readonly string[]
  /** Path of a listening AF_UNIX stream socket that gets the pty's master. */
  readonly consoleSocket?: string
  /** An already connected console socket, instead of a path. Stays the caller's. */
  readonly consoleFd?: number
  readonly pidFile?: string
  /** Path of a listening AF_UNIX stream socket that gets a pidfd of init. */
  readonly pidfdSocket?: string
  readonly noPivot?: boolean
  readonly noNewKeyring?: boolean
  /** Who makes the cgroup; `cgroupfs` when absent. */
  readonly cgroups?: CgroupDriver
  /** Where we may not make a cgroup, a container that asks for none goes without: {@link CgroupOptions}. */
  readonly rootlessCgroups?: boolean
  /** The launcher stays and reports how init ended: {@link CreatedContainer.exited}. */
  readonly supervise?: boolean
  /** With `supervise`: init is killed when this process ends, however it does. */
  readonly tethered?: boolean
  /** Init runs its program at once instead of waiting for `start`. */
  readonly startAtOnce?: boolean
  /** This process has nothing else to do until the container is there: waits block it. */
  readonly waitsInPlace?: boolean
  /** This process makes many containers: the launcher of the next is started ahead, where one can be. */
  readonly standby?: boolean
  /** `XDG_RUNTIME_DIR` is the root's parent: its sticky bit keeps cleaners away. */
  readonly stickyRoot?: boolean
  /** Ends a create that is under way; what it made is removed. */
  readonly signal?: AbortSignal
  /** Hears of what went wrong without making the create fail. */
  readonly warn?: (problem: unknown) => void
  /** Hears of each step. */
  readonly debug?: (step: string) => void
  /** Called when init is about to be let go on; with `startAtOnce` its program runs next. Throws to stop that. */
  readonly ready?: () => void
  /** Sets up the new network namespace, in which a loopback interface is up already. */
  readonly setUpNetwork?: (inside: NewNetwork) => void | Promise<void>
  /** How the plan is started: the engine does it under its monitor. */
  readonly start?: (plan: Plan, options: StartOptions) => ExecutorSession
}

export interface CreatedContainer {
  readonly record: ContainerRecord
  readonly pid: number
  /** Settles when init has ended; only with `supervise`. */
  readonly exited?: Promise<ExitStatus>
}

/**
 * Makes the container, or leaves nothing behind. Throws TsrunError: `already-exists` for a taken id,
 * `invalid-argument` with the JSON pointer for a bad config, PlanError when the kernel said no.
 */
export async function createContainer(options: CreateOptions): Promise<CreatedContainer> {
  const bundle = resolve(options.bundle)
  const config = options.config ?? readBundleConfig(bundle)
  if (process.geteuid?.() !== 0) checkRootlessConfig(config)
  const claim = await claimContainer(options.root, options.id, options.stickyRoot === true)
  let isBegun = false
  try {
    const created = await assembleContainer(options, bundle, config, () => {
      isBegun = true
    })
    claim.close()
    return created
  } catch (error) {
    claim.abandon()
    // runtime.md "Lifecycle": a failed hook leads to the end of a container, and that ends with these.
    const failures = isBegun ? await runPoststopHooks(config, options.id, bundle) : []
    for (const failure of failures) options.warn?.(failure)
    throw error
  }
}
