/** The plan for a config as text, without running anything: `tsrun explain`. */

import { TsrunError } from '../errors.ts'
import { hostFeatures } from '../native/host-features.ts'
import { hostArchitecture } from '../native/library.ts'
import type { RuntimeConfig } from '../oci/runtime-config.ts'
import { unsupportedFeatures, unsupportedMessage } from '../oci/unsupported-features.ts'
import { compileCreate } from '../plan/compile-create.ts'
import { formatPlan } from '../plan/format-plan.ts'
import { seccompOf } from './assemble-container.ts'
import { rootfsOf } from './bundle.ts'

export interface ExplainOptions {
  readonly id: string
  readonly bundle: string
  readonly config: RuntimeConfig
}

/**
 * What `create` would execute for `config` on this host, one system call a line with its origin.
 * Throws what `create` would throw for the config itself.
 */
export async function explainPlan({ id, bundle, config }: ExplainOptions): Promise<string> {
  const features = hostFeatures()
  const unsupported = unsupportedFeatures(config, features)
  if (unsupported.length > 0)
    throw new TsrunError('not-implemented', unsupportedMessage(unsupported))
  const plan = compileCreate(config, {
    architecture: hostArchitecture(),
    features,
    ...(await seccompOf(config)),
    supervise: false,
    preservedFds: 0,
    console: config.process?.terminal === true,
    cgroup: true,
    rootfs: rootfsOf(bundle, config),
    gate: true,
    containerId: id,
    bundle,
  })
  return formatPlan(plan)
}
