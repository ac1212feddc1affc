/** The plan for a config as text, without running anything: `tsrun explain`. */

import { cgroupPath } from '../cgroup/cgroupfs-manager.ts'
import { detectCgroups } from '../cgroup/detect.ts'
import { hostFeatures } from '../native/host-features.ts'
import { hostArchitecture } from '../native/library.ts'
import type { RuntimeConfig } from '../oci/runtime-config.ts'
import { refuseUnsupported } from '../oci/unsupported-features.ts'
import { compileCreate } from '../plan/compile-create.ts'
import { formatPlan } from '../plan/format-plan.ts'
import { rootfsOf } from './bundle.ts'
import { type CompiledSeccomp, seccompOf, warningsOf } from './compiled-seccomp.ts'
import { followDanglingLinks } from './dangling-links.ts'

export interface ExplainOptions {
  readonly id: string
  readonly bundle: string
  readonly config: RuntimeConfig
  /** Append the seccomp filter, one BPF instruction a line. */
  readonly seccomp?: boolean
}

/**
 * What `create` would execute for `config` on this host, one system call a line with its origin.
 * Warnings stand on top, as comments. Throws what `create` would throw for the config itself.
 */
export async function explainPlan({
  id,
  bundle,
  config,
  ...options
}: ExplainOptions): Promise<string> {
  const features = hostFeatures()
  refuseUnsupported(config, features)
  const filter = await seccompOf(config)
  const rootfs = rootfsOf(bundle, config)
  const plan = compileCreate(config, {
    architecture: hostArchitecture(),
    features,
    ...filter,
    supervise: false,
    preservedFds: 0,
    console: config.process?.terminal === true,
    cgroupPath: plannedCgroup(id, config),
    rootfs,
    danglingLinks: followDanglingLinks(rootfs, config),
    gate: true,
    containerId: id,
    bundle,
  })
  const warnings = warningsOf(config, filter, features).map((warning) => `# warning: ${warning}\n`)
  const program = options.seccomp === true ? await explainFilter(filter) : ''
  return `${warnings.join('')}${formatPlan(plan)}${program}`
}

// Where it would be on a host with cgroup v2, if this is none.
function plannedCgroup(id: string, config: RuntimeConfig): string {
  const hierarchy = detectCgroups() ?? { mountPoint: '/sys/fs/cgroup' }
  return cgroupPath(hierarchy, config.linux?.cgroupsPath, id)
}

async function explainFilter({ seccomp }: CompiledSeccomp): Promise<string> {
  if (seccomp === undefined) return '\n# no seccomp filter\n'
  const { formatFilter } = await import('../seccomp/format-filter.ts')
  const head = `# seccomp filter, ${seccomp.instructionCount} instructions`
  return `\n${head}\n${formatFilter(seccomp.program)}`
}
