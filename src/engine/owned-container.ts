/** A container without a monitor: it belongs to this process, which gets its streams and removes it. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describeError } from '../errors.ts'
import type { ExitStatus } from '../native/syscalls.ts'
import type { Mount } from '../oci/runtime-config.ts'
import { createContainer } from '../runtime/create.ts'
import type { ReachedLimit } from '../runtime/limits-reached.ts'
import { cgroupOptionsOf } from '../runtime/rootless/cgroup-options.ts'
import { nameFile } from '../util/name-file.ts'
import { buildContainerConfig, completeRecord, newRecord } from './build-container.ts'
import { imageOf } from './container-image.ts'
import type { ContainerRecord } from './container-record.ts'
import type { UnfinishedContainer } from './container-store.ts'
import { volumesOf } from './container-volumes.ts'
import { discardContainer } from './discard-container.ts'
import type { Engine } from './engine.ts'
import { writeEngineFiles } from './engine-files.ts'
import { lookUpHost } from './host-facts.ts'
import { identityFiles } from './identity-files.ts'
import { joinedNamespaces, mountShm } from './joined-namespaces.ts'
import { type OurEnds, PipeSet } from './pipe-set.ts'
import { releaseContainer } from './release-container.ts'
import { mountRoot, unmountRoot } from './root-filesystem.ts'
import type { RunRequest } from './run-request.ts'
import { startNetwork } from './start-network.ts'

/** How an owned container ended. */
export interface OwnedExit extends ExitStatus {
  /** The limits that it ran into; empty for none. */
  readonly limitsReached: readonly ReachedLimit[]
}

/** Our ends of the pipes are the caller's to close; stdin is there when the request is interactive. */
export interface OwnedContainer extends OurEnds {
  readonly id: string
  readonly name: string
  readonly pid: number
  readonly startTime: number
  /** Settles when the container has ended and nothing of it is left. */
  readonly exited: Promise<OwnedExit>
}

export interface OwnedOptions {
  /** Ends the fetching of an image. */
  readonly signal?: AbortSignal | undefined
  /** What the caller has prepared and keeps until the container has started. */
  readonly mounts?: readonly Mount[]
}

/**
 * Starts a container that this process supervises. When this process ends, however it does, the
 * container's processes are killed at once. Its unfinished mark stays locked for as long as it
 * lives: the next command finds the mark of a killed process and removes the rest.
 */
export async function startOwned(
  engine: Engine,
  request: RunRequest,
  { signal, mounts = [] }: OwnedOptions = {},
): Promise<OwnedContainer> {
  const image = await imageOf(engine, request, { signal })
  const host = lookUpHost(request, process.cwd())
  const unfinished = engine.containers.create()
  const { id, directory } = unfinished
  const input = { id, directory, image, request, host }
  try {
    const base = {
      ...newRecord(id, engine.stateRoot, request, image),
      owned: true,
      autoRemove: true,
    }
    const claimed = engine.containers.claimName(base, request.name)
    const rootPath = await mountRoot(engine, id, request, image)
    const volumes = await volumesOf(engine, {
      record: claimed,
      request,
      image,
      rootPath,
      workingDirectory: process.cwd(),
    })
    mountShm(engine, id, request)
    const identity = identityFiles(request, image, rootPath)
    const config = buildContainerConfig({
      ...{ ...input, rootPath, identity },
      volumeMounts: [...volumes.mounts, ...mounts],
      joined: joinedNamespaces(engine, request, id),
    })
    const record = completeRecord(claimed, config, directory, volumes.records)
    writeEngineFiles(directory, {
      hostname: record.hostname,
      network: record.networkMode === 'host' ? 'host' : 'none',
      init: request.init === true,
      identity,
    })
    const path = join(directory, 'config.json')
    nameFile(path, () => writeFileSync(path, JSON.stringify(config), { mode: 0o600 }))
    return await startSupervised(engine, { unfinished, record, config })
  } catch (error) {
    await removeOwned(engine, unfinished)
    throw error
  }
}

interface Start {
  readonly unfinished: UnfinishedContainer
  readonly record: ContainerRecord
  readonly config: ReturnType<typeof buildContainerConfig>
}

async function startSupervised(
  engine: Engine,
  { unfinished, record, config }: Start,
): Promise<OwnedContainer> {
  const { id, directory } = unfinished
  using pipes = new PipeSet(record.openStdin)
  const created = await createContainer({
    root: engine.stateRoot,
    id,
    bundle: directory,
    ...(await startNetwork(engine, record, config)),
    stdio: pipes.theirs,
    supervise: true,
    tethered: true,
    startAtOnce: true,
    standby: true,
    ...(await cgroupOptionsOf(config)),
    // Node's way for a library: the program may listen (`process.on('warning')`) or silence it.
    warn: (problem) => process.emitWarning(describeError(problem), 'TsrunWarning'),
  })
  unmountRoot(engine, id)
  const { pid, startTime } = created.record
  engine.containers.write({
    ...record,
    state: { status: 'running', pid, startTime, startedAt: new Date().toISOString() },
  })
  return {
    id,
    name: record.name,
    pid,
    startTime,
    ...pipes.release(),
    exited: untilRemoved(engine, unfinished, created.exited),
  }
}

async function untilRemoved(
  engine: Engine,
  unfinished: UnfinishedContainer,
  exited: Promise<ExitStatus> | undefined,
): Promise<OwnedExit> {
  let status: ExitStatus
  try {
    if (exited === undefined) throw new RangeError('the container is not supervised')
    status = await exited
  } catch (error) {
    await removeOwned(engine, unfinished)
    throw error
  }
  return { ...status, limitsReached: await removeOwned(engine, unfinished) }
}

/** Gives back what the container holds, and removes it. Returns the limits that it had run into. */
async function removeOwned(
  engine: Engine,
  unfinished: UnfinishedContainer,
): Promise<readonly ReachedLimit[]> {
  try {
    const { limitsReached } = await releaseContainer(engine, unfinished.id)
    await discardContainer(engine, unfinished.id, 'remove')
    return limitsReached
  } finally {
    unfinished[Symbol.dispose]()
  }
}
