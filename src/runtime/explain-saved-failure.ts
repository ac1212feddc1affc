/** Explains a failure that init reported after `create` had ended, from the options saved then. */
import { hostFeatures } from '../native/host-features.ts'
import { hostArchitecture } from '../native/library.ts'
import { parseRuntimeConfig } from '../oci/validate-runtime-config.ts'
import { compileCreate } from '../plan/compile-create.ts'
import type { ContainerRecord } from '../state/container-record.ts'
import { readContainerFile } from '../state/state-directory.ts'
import { seccompOf } from './compiled-seccomp.ts'
import { explainFailure, type PlanError } from './explain-failure.ts'
import { completeConfig } from './home-directory.ts'
import { OPTIONS_FILE, type SavedOptions } from './saved-options.ts'

export async function explainSavedFailure(
  root: string,
  record: ContainerRecord,
  pc: number,
  errno: number,
): Promise<PlanError> {
  const given = parseRuntimeConfig(readContainerFile(root, record.id, 'config.json'))
  const config = completeConfig(given, record.rootfs, [])
  const options: SavedOptions = JSON.parse(readContainerFile(root, record.id, OPTIONS_FILE))
  const plan = compileCreate(config, {
    ...options,
    ...(await seccompOf(config)),
    architecture: hostArchitecture(),
    features: hostFeatures(),
    ...(record.cgroup === undefined ? {} : { cgroupPath: record.cgroup }),
    rootfs: record.rootfs,
    gate: true,
    containerId: record.id,
    bundle: record.bundle,
  })
  return explainFailure(plan, config, config.process?.args ?? [], pc, errno, record.rootfs)
}
