/** What a container's start would do, as the text of its plan; nothing is run. */
import { resolve } from 'node:path'
import { readBundleConfig } from '../runtime/bundle.ts'
import { explainPlan } from '../runtime/explain-plan.ts'
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
  return await explainPlan({ id: 'explained', bundle, config: readBundleConfig(bundle) })
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
    return await explainPlan({ id, bundle: directory, config })
  } finally {
    await releaseContainer(engine, id)
    discardRoot(engine, id)
    engine.containers.remove(id)
  }
}
