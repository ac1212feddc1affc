/** The lines of --debug: the steps of a start, begun with the words that runc has for them. */
import { NAMESPACES, type NamespaceKind } from '../linux/namespaces.ts'
import type { RuntimeConfig } from '../oci/runtime-config.ts'
import type { CompiledSeccomp } from './compiled-seccomp.ts'

/** What the first process of a container is started in. */
export function createSetupStep(config: RuntimeConfig): string {
  const namespaces = (config.linux?.namespaces ?? []).map(({ type, path }) =>
    path === undefined ? `new ${type}` : `${type} of ${path}`,
  )
  return `nsexec container setup: namespaces ${listed(namespaces)}`
}

/** What another process of a container joins: the namespaces of `init` in `joinFlags` (CLONE_NEW*). */
export function execSetupStep(init: number, joinFlags: number): string {
  const kinds = (Object.keys(NAMESPACES) as NamespaceKind[]).filter(
    (kind) => (joinFlags & NAMESPACES[kind].cloneFlag) !== 0,
  )
  return `nsexec container setup: joins of process ${init} the namespaces ${listed(kinds)}`
}

/** The process is there, but not yet its program. */
export function childStep(pid: number): string {
  return `child process in init(): pid ${pid}`
}

/** The flags of seccomp(2), as a number. */
export function seccompSteps({ seccomp }: CompiledSeccomp): readonly string[] {
  return seccomp === undefined ? [] : [`seccomp filter flags: ${seccomp.flags}`]
}

/** Everything is set up; init waits for `start`. */
export const INIT_READY_STEP = 'init: closing the pipe to signal completion'

/** The last step before the program of an exec. */
export function execStep(args: readonly string[]): string {
  return `setns_init: about to exec ${JSON.stringify(args[0] ?? '')}`
}

function listed(names: readonly string[]): string {
  return names.length === 0 ? '(none)' : names.join(', ')
}
