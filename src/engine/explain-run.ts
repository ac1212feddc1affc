/** What a container's start would do, as the text of its plan; nothing is run. */
import { resolve } from 'node:path'
import { hostFeatures } from '../native/host-features.ts'
import { hostArchitecture } from '../native/library.ts'
import type { RuntimeConfig } from '../oci/runtime-config.ts'
import { compileCreate } from '../plan/compile-create.ts'
import { formatPlan } from '../plan/format-plan.ts'
import { seccompOf } from '../runtime/assemble-container.ts'
import { readBundleConfig, rootfsOf } from '../runtime/bundle.ts'
import { buildContainerConfig, newRecord } from './build-container.ts'
import { imageOf } from './container-image.ts'
import type { Engine } from './engine.ts'
import { lookUpHost } from './host-facts.ts'
import { releaseContainer } from './release-container.ts'
import { discardRoot, mountRoot } from './root-filesystem.ts'
import type { RunRequest } from './run-request.ts'

/** The plan for the bundle at `path`. */
export async function explainBundle(path: string): Promise<string> {
  const bundle = resolve(path)
  return await explainConfig(readBundleConfig(bundle), 'explained', bundle)
}

/** The plan for a `run`. The image's root is mounted for a moment: names of users stand in it. */
export async function explainRun(
  engine: Engine,
  request: RunRequest,
  workingDirectory: string,
): Promise<string> {
  const image = await imageOf(engine, request)
  const host = lookUpHost(request, workingDirectory)
  using unfinished = engine.containers.create()
  const { id, directory } = unfinished
  try {
    engine.containers.claimName(newRecord(id, engine.stateRoot, request, image), undefined)
    const rootPath = await mountRoot(engine, id, request, image)
    const config = buildContainerConfig({ id, directory, rootPath, image, request, host })
    return await explainConfig(config, id, directory)
  } finally {
    await releaseContainer(engine, id)
    discardRoot(engine, id)
    engine.containers.remove(id)
  }
}

async function explainConfig(
  config: RuntimeConfig,
  containerId: string,
  bundle: string,
): Promise<string> {
  const plan = compileCreate(config, {
    architecture: hostArchitecture(),
    features: hostFeatures(),
    ...(await seccompOf(config)),
    supervise: false,
    preservedFds: 0,
    console: config.process?.terminal === true,
    cgroup: true,
    rootfs: rootfsOf(bundle, config),
    gate: true,
    containerId,
    bundle,
  })
  return formatPlan(plan)
}
