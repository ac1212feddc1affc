/** The root of a container for whoever copies from and to it, whether it runs or not. */
import { constants, fstatSync, mkdirSync, openSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { errnoCodeOf, TsrunError } from '../../errors.ts'
import { bindMount } from '../../native/bind-mount.ts'
import { entryPath, openInRoot } from '../../native/open-in-root.ts'
import { OwnedFd } from '../../native/owned-fd.ts'
import type { RuntimeConfig } from '../../oci/runtime-config.ts'
import { openProcess } from '../../runtime/process-liveness.ts'
import type { Ids } from '../../spec/user-namespace.ts'
import { toByteText } from '../../util/byte-text.ts'
import { splitPath } from '../../util/split-path.ts'
import { type ContainerRecord, shortId } from '../container-record.ts'
import { statusOf } from '../container-status.ts'
import type { Engine } from '../engine.ts'
import { remountRoot, rootPath, unmountRoot } from '../root-filesystem.ts'

/** An open root; what it needs is given back when it is disposed. */
export interface ContainerRoot extends Disposable {
  readonly root: OwnedFd
  readonly record: ContainerRecord
  readonly config: RuntimeConfig
  /** Its files have these ids of the host, for it runs in a user namespace. */
  readonly seenIds?: Ids | undefined
}

/**
 * The root as the container sees it, with its volumes. Of one that runs that is the root of its first process; of
 * another its layers are mounted, under its lock, so that it cannot start meanwhile.
 */
export async function openContainerRoot(engine: Engine, id: string): Promise<ContainerRoot> {
  const running = openRunning(engine, read(engine, id))
  if (running !== undefined) return running
  const lock = await engine.containers.lock(id)
  try {
    // It may have started while we waited.
    const record = read(engine, id)
    const started = openRunning(engine, record)
    if (started === undefined && lock !== undefined) return await mountStopped(engine, record, lock)
    lock?.close()
    if (started !== undefined) return started
    throw notFound(id)
  } catch (error) {
    lock?.close()
    throw error
  }
}

function read(engine: Engine, id: string): ContainerRecord {
  const record = engine.containers.read(id)
  if (record === undefined || (engine.containers.isUnfinished(id) && !record.owned))
    throw notFound(id)
  return record
}

function notFound(id: string): TsrunError {
  return new TsrunError('not-found', `no such container: ${shortId(id)}`)
}

/** The container's config.json. */
export function configOf(engine: Engine, id: string): RuntimeConfig {
  const text = readFileSync(join(engine.containers.directory(id), 'config.json'), 'utf8')
  return JSON.parse(text) as RuntimeConfig
}

function openRunning(engine: Engine, record: ContainerRecord): ContainerRoot | undefined {
  const { pid } = statusOf(record, engine.containers.directory(record.id))
  const startTime = record.state.startTime ?? 0
  // The pidfd says that the pid was the container's before and after its root was opened.
  using before = pid === 0 ? undefined : openProcess(pid, startTime)
  if (before === undefined) return undefined
  try {
    const root = openFolder(`/proc/${pid}/root`)
    using after = openProcess(pid, startTime)
    if (after !== undefined) return { ...rootOf(engine, record, root), seenIds: record.ids }
    root.close()
    return undefined
  } catch (error) {
    if (errnoCodeOf(error) === 'ENOENT' || errnoCodeOf(error) === 'ESRCH') return undefined
    throw error
  }
}

function rootOf(
  engine: Engine,
  record: ContainerRecord,
  root: OwnedFd,
  release: () => void = () => {},
): ContainerRoot {
  return {
    root,
    record,
    config: configOf(engine, record.id),
    [Symbol.dispose]() {
      root.close()
      release()
    },
  }
}

async function mountStopped(
  engine: Engine,
  record: ContainerRecord,
  lock: OwnedFd,
): Promise<ContainerRoot> {
  const release = () => {
    unmountRoot(engine, record.id)
    lock.close()
  }
  try {
    await remountRoot(engine, record, 'as stored')
    const opened = rootOf(
      engine,
      record,
      openFolder(record.rootfs ?? rootPath(engine, record.id)),
      release,
    )
    if (record.rootfs === undefined) mountVolumes(opened)
    return opened
  } catch (error) {
    unmountRoot(engine, record.id)
    throw error
  }
}

function mountVolumes({ root, config }: ContainerRoot): void {
  for (const { type, source, destination, options } of config.mounts ?? []) {
    const isBind = type === 'bind' || options?.some((option) => /^r?bind$/.test(option)) === true
    const stats = isBind ? statSync(source ?? '', { throwIfNoEntry: false }) : undefined
    if (source === undefined || stats === undefined) continue
    using target = targetOf(root, destination, stats.isDirectory())
    if (target !== undefined) bindMount(source, target)
  }
}

// A container that was never started has no places for its mounts yet; a missing file's mount is left out.
function targetOf(root: OwnedFd, path: string, isFolder: boolean): OwnedFd | undefined {
  const found = openInRoot(root, toByteText(path), { follow: true })
  if (found !== undefined || !isFolder) {
    if (found === undefined || fstatSync(found.fd).isDirectory() === isFolder) return found
    found.close()
    return undefined
  }
  const [above, name] = splitPath(path.replace(/\/+$/, '').replace(/^\/+/, ''))
  using parent = above === '' ? undefined : targetOf(root, above, true)
  const folder = above === '' ? root : parent
  if (folder === undefined || name === '' || name === '..') return undefined
  mkdirSync(entryPath(folder, toByteText(name)), { mode: 0o755 })
  return openInRoot(root, toByteText(path), { follow: true })
}

function openFolder(path: string): OwnedFd {
  return new OwnedFd(openSync(path, constants.O_RDONLY | constants.O_DIRECTORY))
}
