/** The seccomp filter of a config, compiled for this machine, and what the config asks for in vain. */
import { hostArchitecture } from '../native/library.ts'
import { runtimeConfigWarnings } from '../oci/normalize-runtime-config.ts'
import type { RuntimeConfig } from '../oci/runtime-config.ts'
import { isInUserNamespace } from '../plan/compile/credentials.ts'
import type { HostFeatures } from '../plan/host-features.ts'
import type { CompiledFilter } from '../seccomp/compile-filter.ts'
import { timed, timedAsync } from '../util/timings.ts'

export interface CompiledSeccomp {
  readonly seccomp?: CompiledFilter
}

/** What in `config` has no effect here, each with its place. */
export function warningsOf(
  config: RuntimeConfig,
  { seccomp }: CompiledSeccomp,
  features: HostFeatures,
): readonly string[] {
  // In a user namespace everybody starts with all capabilities.
  const withheld = isInUserNamespace(config) ? [] : features.withheldCapabilities
  return [...runtimeConfigWarnings(config, withheld), ...(seccomp?.warnings ?? [])]
}

/** The compiled filter of `linux.seccomp`, spread into compile options; its tables are loaded only when there is one. */
export async function seccompOf(config: RuntimeConfig): Promise<CompiledSeccomp> {
  const seccomp = config.linux?.seccomp
  if (seccomp === undefined) return {}
  const { compileFilter } = await timedAsync('load', () => import('../seccomp/compile-filter.ts'))
  return { seccomp: timed('compile', () => compileFilter(seccomp, hostArchitecture())) }
}
