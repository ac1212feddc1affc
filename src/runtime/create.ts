/** `create`: makes a container whose init waits at the start gate (runtime-spec runtime.md "Create"). */
import { readFileSync } from 'node:fs'
import { isAbsolute, join, resolve } from 'node:path'
import { errnoCodeOf, TsrunError } from '../errors.ts'
import type { ExecutorSession, StartOptions } from '../native/executor.ts'
import type { ExitStatus } from '../native/syscalls.ts'
import type { RuntimeConfig } from '../oci/runtime-config.ts'
import { parseRuntimeConfig } from '../oci/validate-runtime-config.ts'
import type { Plan } from '../plan/plan.ts'
import type { ContainerRecord } from '../state/container-record.ts'
import { assembleContainer } from './assemble-container.ts'
import { claimContainer } from './claim-container.ts'

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
  /** Path of a listening AF_UNIX stream socket that gets the pty's master. */
  readonly consoleSocket?: string
  /** An already connected console socket, instead of a path. Stays the caller's. */
  readonly consoleFd?: number
  readonly pidFile?: string
  readonly noPivot?: boolean
  readonly noNewKeyring?: boolean
  /** `disabled`: the container stays in the caller's cgroup, without limits (podman's --cgroups=disabled). */
  readonly cgroups?: 'disabled'
  /** The launcher stays and reports how init ended: {@link CreatedContainer.exited}. */
  readonly supervise?: boolean
  /** Init runs its program at once instead of waiting for `start`. */
  readonly startAtOnce?: boolean
  /** `XDG_RUNTIME_DIR` is the root's parent: its sticky bit keeps cleaners away. */
  readonly stickyRoot?: boolean
  /** Ends a create that is under way; what it made is removed. */
  readonly signal?: AbortSignal
  /** Hears of what went wrong without making the create fail. */
  readonly warn?: (problem: unknown) => void
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
  const claim = await claimContainer(options.root, options.id, options.stickyRoot === true)
  try {
    const created = await assembleContainer(options, bundle, config)
    claim.close()
    return created
  } catch (error) {
    claim.abandon()
    throw error
  }
}

/** The validated config.json of a bundle. */
export function readBundleConfig(bundle: string): RuntimeConfig {
  const path = join(bundle, 'config.json')
  try {
    return parseRuntimeConfig(readFileSync(path, 'utf8'))
  } catch (error) {
    const code = errnoCodeOf(error)
    if (code === 'ENOENT') {
      throw new TsrunError('not-found', `JSON specification file ${path} not found`, {
        hint: 'give the bundle with --bundle, or make a config.json with tsrun spec',
      })
    }
    if (code !== undefined)
      throw new TsrunError('invalid-argument', `cannot read ${path}: ${code}`, { cause: error })
    throw error
  }
}

/** Absolute path of the root filesystem. */
export function rootfsOf(bundle: string, config: RuntimeConfig): string {
  const path = config.root?.path ?? 'rootfs'
  return isAbsolute(path) ? path : join(bundle, path)
}
