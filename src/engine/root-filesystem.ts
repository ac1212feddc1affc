/** The root of a container: the layers of its image and a writable one, mounted for as long as its making takes. */
import { existsSync, mkdirSync, statSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import { TsrunError } from '../errors.ts'
import { mountOverlay, unmountOverlay } from '../snapshots/mount-overlay.ts'
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

/** Mounts the root of a container that has been made before, and what is mounted beside it. */
export async function remountRoot(engine: Engine, record: ContainerRecord): Promise<void> {
  const { id, rootfs, volumes } = record
  // What a killed command has left there.
  unmountRoot(engine, id)
  if (rootfs === undefined) mountOverlay(engine.snapshotter().mounts(id), rootPath(engine, id))
  else givenRoot(rootfs)
  if (volumes.every(({ name, stage }) => name === undefined && stage === undefined)) return
  const { remountVolumes } = await import('./volumes/detach-volumes.ts')
  await remountVolumes(engine, record)
}

/** Unmounts the root and what is mounted beside it; init has its own mounts of them. Nothing mounted is no error. */
export function unmountRoot(engine: Engine, id: string): void {
  const path = rootPath(engine, id)
  if (existsSync(path)) unmountOverlay(path)
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
