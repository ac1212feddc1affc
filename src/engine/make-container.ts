/** From a request to a container that is ready to start: its folder, its root, its config.json. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { RuntimeConfig } from '../oci/runtime-config.ts'
import { nameFile } from '../util/name-file.ts'
import { buildContainerConfig, completeRecord, newRecord } from './build-container.ts'
import { type ImageOptions, imageOf } from './container-image.ts'
import type { ContainerRecord } from './container-record.ts'
import type { UnfinishedContainer } from './container-store.ts'
import { volumesOf } from './container-volumes.ts'
import { discardContainer } from './discard-container.ts'
import type { Engine } from './engine.ts'
import { writeEngineFiles } from './engine-files.ts'
import { lookUpHost } from './host-facts.ts'
import { releaseContainer } from './release-container.ts'
import { mountRoot } from './root-filesystem.ts'
import type { RunRequest } from './run-request.ts'

export interface MakeOptions extends ImageOptions {
  /** Where relative paths of volumes begin. */
  readonly workingDirectory: string
}

/** Complete, with its root mounted, but nobody else's yet: the mark and the lock are this process's. */
export interface MadeContainer {
  readonly unfinished: UnfinishedContainer
  readonly record: ContainerRecord
  readonly config: RuntimeConfig
}

/** Makes a container and lets `complete` finish it. When a step fails nothing of it is left. */
export async function makeContainer<Result>(
  engine: Engine,
  request: RunRequest,
  options: MakeOptions,
  complete: (made: MadeContainer) => Promise<Result>,
): Promise<Result> {
  const image = await imageOf(engine, request, options)
  const host = lookUpHost(request, options.workingDirectory)
  using unfinished = engine.containers.create()
  const { id, directory } = unfinished
  try {
    const claimed = engine.containers.claimName(
      newRecord(id, engine.stateRoot, request, image),
      request.name,
    )
    const rootPath = await mountRoot(engine, id, request, image)
    const { workingDirectory } = options
    const place = { record: claimed, request, image, rootPath, workingDirectory }
    const volumes = await volumesOf(engine, place)
    const input = { id, directory, rootPath, image, request, host, volumeMounts: volumes.mounts }
    const config = buildContainerConfig(input)
    const record = completeRecord(claimed, config, directory, volumes.records)
    writeBundle(directory, config, record)
    return await complete({ unfinished, record, config })
  } catch (error) {
    await releaseContainer(engine, id)
    await discardContainer(engine, id, 'remove')
    throw error
  }
}

function writeBundle(directory: string, config: RuntimeConfig, record: ContainerRecord): void {
  const network = record.networkMode === 'host' ? 'host' : 'none'
  writeEngineFiles(directory, {
    hostname: record.hostname,
    network,
    init: record.request.init === true,
  })
  const path = join(directory, 'config.json')
  nameFile(path, () => writeFileSync(path, JSON.stringify(config), { mode: 0o600 }))
}
