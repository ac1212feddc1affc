/**
 * Mounts in the container's folder that init takes its own from: an image, or one folder of an image or a volume,
 * which a path could not name safely while others change what is there. The host sees them until init has them.
 */
import { existsSync, fstatSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { TsrunError } from '../../errors.ts'
import { bindDescriptor } from '../../native/mount-at.ts'
import { openPathInRoot } from '../../native/open-file-in-root.ts'
import { mountOverlay } from '../../snapshots/mount-overlay.ts'
import type { Ids } from '../../spec/user-namespace.ts'
import { imageOf } from '../container-image.ts'
import type { VolumeRecord } from '../container-record.ts'
import type { Engine } from '../engine.ts'
import { mountMappedOverlay } from '../mount-mapped-overlay.ts'

/** Fetches the image unless it is here, and keeps its layers for as long as the container is there. */
export async function prepareImage(engine: Engine, record: VolumeRecord): Promise<void> {
  const image = await imageOf(engine, { image: record.source })
  const chainIds = image?.chainIds ?? []
  if (chainIds.length === 0) {
    throw new TsrunError(
      'invalid-argument',
      `cannot mount the image "${record.source}": it has no layers`,
    )
  }
  await engine.snapshotter().prepare(record.snapshot ?? '', chainIds)
}

/** Mounts what `record` needs in the container's folder; nothing for a mount that has its source elsewhere. */
export function stageMount(
  engine: Engine,
  directory: string,
  record: VolumeRecord,
  ids?: Ids | undefined,
): void {
  const { stage, type, subpath, source, destination } = record
  if (stage === undefined) return
  const target = join(directory, stage)
  const root = type === 'image' ? imageRoot(target, subpath) : source
  if (type === 'image') {
    if (!existsSync(root)) mkdirSync(root, { mode: 0o700 })
    const mounts = engine.snapshotter().mounts(record.snapshot ?? '')
    const place = { root: engine.snapshotter().root, stage: join(directory, 'mapped') }
    if (ids === undefined) mountOverlay(mounts, root)
    else mountMappedOverlay(mounts, ids, { ...place, target: root })
  }
  if (subpath === undefined) return
  using part = openPathInRoot(root, subpath)
  if (part === undefined) {
    throw new TsrunError(
      'invalid-argument',
      `cannot mount "${subpath}" of ${type} "${record.name ?? source}" at ${destination}: there is no such file or directory in it`,
    )
  }
  makePlace(target, fstatSync(part.fd).isDirectory())
  bindDescriptor(part.fd, target)
}

function imageRoot(target: string, subpath: string | undefined): string {
  return subpath === undefined ? target : `${target}.image`
}

function makePlace(path: string, isFolder: boolean): void {
  if (existsSync(path)) return
  if (isFolder) mkdirSync(path, { mode: 0o700 })
  else writeFileSync(path, '', { mode: 0o600 })
}
