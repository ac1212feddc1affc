/** From a request to a container that is ready to start: its folder, its root, its config.json. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { TsrunError } from '../errors.ts'
import { parseUserMode } from '../network/user-mode/user-mode-program.ts'
import type { RuntimeConfig } from '../oci/runtime-config.ts'
import { asksForIds, type Ids } from '../spec/user-namespace.ts'
import { nameFile } from '../util/name-file.ts'
import { buildContainerConfig, completeRecord, newRecord } from './build-container.ts'
import { type ImageOptions, imageOf } from './container-image.ts'
import type { ContainerRecord } from './container-record.ts'
import type { UnfinishedContainer } from './container-store.ts'
import { volumesOf } from './container-volumes.ts'
import { discardContainer } from './discard-container.ts'
import type { Engine } from './engine.ts'
import { writeEngineFiles } from './engine-files.ts'
import { containerEvent } from './events/event.ts'
import { recordEvent } from './events/event-log.ts'
import { lookUpHost } from './host-facts.ts'
import { type IdentityFile, identityFiles } from './identity-files.ts'
import { joinedNamespaces, mountShm } from './joined-namespaces.ts'
import { releaseContainer } from './release-container.ts'
import { mapRoot, mountRoot } from './root-filesystem.ts'
import type { RunRequest } from './run-request.ts'

export interface MakeOptions extends ImageOptions {
  /** Where relative paths of volumes begin. */
  readonly workingDirectory: string
  /** Hears of each phase when it begins. */
  readonly onPhase?: ((phase: StartPhase) => void) | undefined
}

/** What a run spends its time on: `spec` has volumes and the config.json, `start` all after the program runs. */
export type StartPhase = 'image' | 'snapshot' | 'spec' | 'create' | 'start'

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
  options.onPhase?.('image')
  const image = await imageOf(engine, request, options)
  if (request.replace === true) await removeNamed(engine, request.name)
  options.onPhase?.('snapshot')
  const host = lookUpHost(request, options.workingDirectory)
  const secrets = await secretsFor(engine, request)
  using unfinished = engine.containers.create()
  const { id, directory } = unfinished
  try {
    const claimed = engine.containers.claimName(
      newRecord(id, engine.stateRoot, request, image),
      request.name,
    )
    const rootPath = await mountRoot(engine, id, request, image)
    options.onPhase?.('spec')
    const { workingDirectory } = options
    const ids = await idsFor(engine, claimed, request, rootPath)
    const named: ContainerRecord = ids === undefined ? claimed : { ...claimed, ids }
    const place = { record: named, request, image, rootPath, workingDirectory }
    const volumes = await volumesOf(engine, place)
    mountShm(engine, id, request)
    const identity = identityFiles(request, image, rootPath)
    const config = buildContainerConfig({
      ...{ id, directory, rootPath, image, request, host, identity },
      volumeMounts: volumes.mounts,
      joined: joinedNamespaces(engine, request, id),
      ids,
    })
    const record = completeRecord(named, config, directory, volumes.records)
    writeBundle(directory, config, record, identity)
    secrets?.(directory)
    if (ids !== undefined) await mapRoot(engine, record)
    recordEvent(engine.dataRoot, containerEvent(record, 'create'))
    return await complete({ unfinished, record, config })
  } catch (error) {
    await releaseContainer(engine, id)
    await discardContainer(engine, id, 'remove')
    throw error
  }
}

/** Most containers have the ids of the host: what is for others is loaded for them alone. */
async function idsFor(
  engine: Engine,
  record: ContainerRecord,
  request: RunRequest,
  rootPath: string,
): Promise<Ids | undefined> {
  if (!asksForIds(request)) return undefined
  const { claimIds } = await import('./user-ids.ts')
  return await claimIds(engine, record, request, rootPath)
}

/** What writes them; most containers have none. */
async function secretsFor(
  { dataRoot }: Engine,
  { secrets = [] }: RunRequest,
): Promise<((directory: string) => void) | undefined> {
  if (secrets.length === 0) return undefined
  const { secretCopies, writeSecrets } = await import('./secrets/write-secrets.ts')
  const copies = secretCopies(dataRoot, secrets)
  return (directory) => writeSecrets(directory, copies)
}

/** Whether its names are known only when it starts. */
function isNamedLater({ networks, networkMode }: ContainerRecord): boolean {
  const isCni = networkMode.startsWith('cni:')
  return networks !== undefined || isCni || parseUserMode(networkMode) !== undefined
}

async function removeNamed(engine: Engine, name: string | undefined): Promise<void> {
  if (name === undefined) {
    throw new TsrunError('invalid-argument', 'cannot use --replace: it needs the --name to replace')
  }
  const id = engine.containers.idOfName(name)
  if (id === undefined) return
  const { removeContainer } = await import('./remove-container.ts')
  await removeContainer(engine, id, { force: true })
}

function writeBundle(
  directory: string,
  config: RuntimeConfig,
  record: ContainerRecord,
  identity: readonly IdentityFile[],
): void {
  const network = record.networkMode === 'host' ? 'host' : 'none'
  writeEngineFiles(directory, {
    hostname: record.hostname,
    network,
    init: record.request.init === true,
    identity,
    ...(isNamedLater(record) ? {} : { names: record.request }),
  })
  const path = join(directory, 'config.json')
  nameFile(path, () => writeFileSync(path, JSON.stringify(config), { mode: 0o600 }))
}
