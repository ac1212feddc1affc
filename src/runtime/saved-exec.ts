/** An exec whose plan is left in a folder, for a program without Node to run it as often as it likes. */
import { rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { TsrunError } from '../errors.ts'
import { CLONE_NEWUSER } from '../linux/namespaces.ts'
import { hostFeatures } from '../native/host-features.ts'
import { hostArchitecture } from '../native/library.ts'
import type { Process, RuntimeConfig } from '../oci/runtime-config.ts'
import { compileExec } from '../plan/compile-exec.ts'
import { encodePlan } from '../plan/wire-format.ts'
import { usesListener } from '../seccomp/uses-listener.ts'
import { seccompOf } from './compiled-seccomp.ts'
import { completeProcess, differentNamespaces } from './exec.ts'
import { execCgroup, mayEnterByClone } from './exec-cgroup.ts'
import { loadContainer } from './load-container.ts'

/** In the folder; native-bindings/monitor-health.c opens both. */
const PLAN = 'check.plan'
/** Symbolic link to the cgroup of the process. */
const CGROUP = 'check.cgroup'

export interface SavedExec {
  readonly root: string
  readonly id: string
  readonly config: RuntimeConfig
  readonly process: Process
  readonly directory: string
}

/**
 * Saves the plan. Whoever runs it gives `tsrun-init` three streams, the plan, a report socket, a pidfd of the container's
 * init and, where there is one, the cgroup; it lets the process go on at each sync, at `mappings` after having
 * written its pid to cgroup.procs.
 */
export async function saveExecPlan(exec: SavedExec): Promise<void> {
  const { root, id, config, directory } = exec
  if (config.linux?.seccomp !== undefined && usesListener(config.linux.seccomp))
    throw hasListener(id)
  const record = await loadContainer(root, id)
  const process = completeProcess(exec.process, config, record)
  const joinFlags = differentNamespaces(record.pid)
  const inUserNamespace = (joinFlags & CLONE_NEWUSER) !== 0
  const cgroup = execCgroup(record, undefined)
  const features = hostFeatures()
  const plan = compileExec(process, config, {
    architecture: hostArchitecture(),
    features: {
      ...features,
      cloneIntoCgroup: features.cloneIntoCgroup && mayEnterByClone(cgroup, inUserNamespace),
    },
    ...(await seccompOf(config)),
    supervise: false,
    preservedFds: 0,
    console: false,
    cgroup: cgroup !== undefined,
    noNewKeyring: false,
    containerId: id,
    joinFlags,
  })
  rmSync(join(directory, CGROUP), { force: true })
  if (cgroup !== undefined) symlinkSync(cgroup, join(directory, CGROUP))
  writeFileSync(join(directory, PLAN), encodePlan(plan), { mode: 0o600 })
}

function hasListener(id: string): TsrunError {
  return new TsrunError(
    'not-implemented',
    `cannot check the health of container "${id}": its seccomp profile asks an agent (SCMP_ACT_NOTIFY)`,
    { hint: 'use --no-healthcheck, or a profile without this action' },
  )
}
