/** What a container's start would do, as the text of its plan; nothing is run. */
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { TsrunError } from '../errors.ts'
import { readBundleConfig } from '../runtime/bundle.ts'
import { explainPlan } from '../runtime/explain-plan.ts'
import { buildContainerConfig, newRecord } from './build-container.ts'
import { imageOf } from './container-image.ts'
import { discardContainer } from './discard-container.ts'
import type { Engine } from './engine.ts'
import { lookUpHost } from './host-facts.ts'
import { identityFiles } from './identity-files.ts'
import { joinedNamespaces } from './joined-namespaces.ts'
import { releaseContainer } from './release-container.ts'
import { mountRoot } from './root-filesystem.ts'
import type { RunRequest } from './run-request.ts'
import { previewVolumes } from './volumes/attach-volumes.ts'

/** The plan for the bundle at `path`. Throws `not-found` when there is none. */
export async function explainBundle(path: string, seccomp: boolean): Promise<string> {
  const bundle = resolve(path)
  if (!existsSync(join(bundle, 'config.json'))) {
    throw new TsrunError(
      'not-found',
      `cannot explain the bundle "${path}": it has no config.json`,
      {
        hint: 'give the folder that holds a config.json; tsrun spec writes one',
      },
    )
  }
  return await explainPlan({
    id: 'explained',
    bundle,
    config: readBundleConfig(bundle),
    seccomp,
  })
}

/** The plan for a `run`. The image's root is mounted for a moment: names of users stand in it. */
export async function explainRun(
  engine: Engine,
  request: RunRequest,
  options: { readonly workingDirectory: string; readonly seccomp: boolean },
): Promise<string> {
  const image = await imageOf(engine, request)
  const host = lookUpHost(request, options.workingDirectory)
  using unfinished = engine.containers.create()
  const { id, directory } = unfinished
  try {
    engine.containers.claimName(newRecord(id, engine.stateRoot, request, image), undefined)
    const rootPath = await mountRoot(engine, id, request, image)
    const { workingDirectory } = options
    const volumeMounts = previewVolumes(engine, request, image, workingDirectory)
    const identity = identityFiles(request, image, rootPath)
    const joined = joinedNamespaces(engine, request, id)
    const config = buildContainerConfig({
      ...{ id, directory, rootPath, image, request, host, volumeMounts, identity, joined },
    })
    return await explainPlan({ id, bundle: directory, config, seccomp: options.seccomp })
  } finally {
    await releaseContainer(engine, id)
    await discardContainer(engine, id, 'remove')
  }
}
