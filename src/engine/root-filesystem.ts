/** The root of a container: the layers of its image and a writable one, mounted for as long as its making takes. */
import { existsSync, mkdirSync, statSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import { TsrunError } from '../errors.ts'
import { mountOverlay, unmountOverlay } from '../snapshots/mount-overlay.ts'
import type { Ids } from '../spec/user-namespace.ts'
import type { ContainerImage } from './build-container.ts'
import type { ContainerRecord } from './container-record.ts'
import type { Engine } from './engine.ts'
import type { RunRequest } from './run-request.ts'
import { unstageMounts } from './volumes/unstage-mounts.ts'

/** Makes the root of container `id` and returns its path. A root given by path is used as it is. */
export async function mountRoot(
  engine: Engine,
  id: string,
  request: RunRequest,
  image: ContainerImage | undefined,
): Promise<string> {
  if (image === undefined) return givenRoot(request.rootfs ?? '')
  if (image.chainIds.length === 0) {
    throw new TsrunError(
      'invalid-argument',
      `cannot run the image "${image.reference}": it has no layers`,
    )
  }
  const mounts = await engine.snapshotter().prepare(id, image.chainIds)
  const path = rootPath(engine, id)
  mkdirSync(path, { mode: 0o755 })
  mountOverlay(mounts, path)
  return path
}

/**
 * Mounts the root of a container that has been made before, and what is mounted beside it; for who only reads and
 * writes its files with the ids as they are stored, which are those in the container.
 */
export async function remountRoot(
  engine: Engine,
  record: ContainerRecord,
  ids: 'as mapped' | 'as stored' = 'as mapped',
): Promise<void> {
  const { id, rootfs, volumes } = record
  // What a killed command has left there.
  unmountRoot(engine, id)
  if (rootfs !== undefined) givenRoot(rootfs)
  else if (record.ids === undefined || ids === 'as stored')
    mountOverlay(engine.snapshotter().mounts(id), rootPath(engine, id))
  else await mountMapped(engine, id, record.ids)
  if (volumes.every(({ name, stage }) => name === undefined && stage === undefined)) return
  const { remountVolumes } = await import('./volumes/detach-volumes.ts')
  await remountVolumes(engine, record, ids === 'as stored' ? undefined : record.ids)
}

/** Gives a root that {@link mountRoot} has mounted the ids of the container's user namespace. */
export async function mapRoot(engine: Engine, { id, rootfs, ids }: ContainerRecord): Promise<void> {
  if (rootfs !== undefined || ids === undefined) return
  unmountOverlay(rootPath(engine, id))
  await mountMapped(engine, id, ids)
}

async function mountMapped(engine: Engine, id: string, ids: Ids): Promise<void> {
  const { mountMappedOverlay } = await import('./mount-mapped-overlay.ts')
  mountMappedOverlay(engine.snapshotter().mounts(id), ids, {
    root: engine.snapshotter().root,
    stage: mapStage(engine, id),
    target: rootPath(engine, id),
  })
}

// Where the layers are for the moment that it takes to mount them with mapped ids.
function mapStage(engine: Engine, id: string): string {
  return join(engine.containers.directory(id), 'mapped')
}

/** Unmounts the root and what is mounted beside it; init has its own mounts of them. Nothing mounted is no error. */
export function unmountRoot(engine: Engine, id: string): void {
  const path = rootPath(engine, id)
  for (const mounted of [path, mapStage(engine, id)])
    if (existsSync(mounted)) unmountOverlay(mounted)
  unstageMounts(engine.containers.directory(id))
}

/** Removes the writable layer. A missing one is no error. */
export function discardRoot(engine: Engine, id: string): void {
  engine.snapshotter().remove(id)
}

/** Where the root is mounted. */
export function rootPath(engine: Engine, id: string): string {
  return join(engine.containers.directory(id), 'rootfs')
}

function givenRoot(path: string): string {
  if (isAbsolute(path) && statSync(path, { throwIfNoEntry: false })?.isDirectory() === true)
    return path
  throw new TsrunError(
    'invalid-argument',
    `cannot use the root filesystem "${path}": it must be the absolute path of a directory`,
  )
}
