/** Where the files of a volume are, and the mount that a volume with a device has while containers use it. */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { TsrunError } from '../../errors.ts'
import { MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RDONLY } from '../../linux/mount-flags.ts'
import { mountFilesystem } from '../../native/mount-at.ts'
import { detachMount } from '../../native/overlay-mount.ts'
import { statusOf } from '../container-status.ts'
import type { Engine } from '../engine.ts'
import { mountSourceOf } from './driver-options.ts'
import type { LockedVolume } from './volume-store.ts'

export interface VolumeSource {
  readonly path: string
  /** Options that the mount in the container needs for it. */
  readonly options: readonly string[]
}

/** Makes the files of the volume be at the path that it returns. The caller holds the exclusive lock. */
export function mountVolume({ volume, folder }: LockedVolume): VolumeSource {
  const data = join(folder, '_data')
  const source = mountSourceOf(volume.name, volume)
  if (source === undefined) return { path: data, options: [] }
  if (source.kind === 'bind') {
    if (statSync(source.source, { throwIfNoEntry: false })?.isDirectory() !== true) {
      throw new TsrunError(
        'failed-precondition',
        `cannot mount volume "${volume.name}": its device "${source.source}" is not a directory`,
      )
    }
    return { path: source.source, options: attributesOf(source.flags) }
  }
  if (!isMounted(folder, data)) {
    try {
      mountFilesystem(source, data)
    } catch (cause) {
      throw new TsrunError(
        'failed-precondition',
        `cannot mount volume "${volume.name}" (type=${source.type} device=${source.source})`,
        { cause, hint: 'look at the kernel log (dmesg), and at tsrun volume inspect' },
      )
    }
  }
  return { path: data, options: [] }
}

/** Takes the mount of a volume away when no container but `id` lives with it. Nothing mounted is no error. */
export async function unmountVolume(engine: Engine, name: string, id: string): Promise<void> {
  const volume = engine.volumes.read(name)
  if (volume === undefined || mountSourceOf(name, volume)?.kind !== 'filesystem') return
  using locked = await engine.volumes.lock(name, 'exclusive')
  if (locked === undefined) return
  const isUsed = engine.volumes.users(name).some((user) => user !== id && isLive(engine, user))
  if (!isUsed) detachMount(join(locked.folder, '_data'))
}

// One that is just being made may need it in a moment.
function isLive({ containers }: Engine, id: string): boolean {
  if (containers.isUnfinished(id)) return true
  const record = containers.read(id)
  return record !== undefined && statusOf(record, containers.directory(id)).pid !== 0
}

function isMounted(folder: string, data: string): boolean {
  return statSync(data).dev !== statSync(folder).dev
}

function attributesOf(flags: number): readonly string[] {
  const names: readonly (readonly [number, string])[] = [
    [MS_RDONLY, 'ro'],
    [MS_NOSUID, 'nosuid'],
    [MS_NODEV, 'nodev'],
    [MS_NOEXEC, 'noexec'],
  ]
  return names.flatMap(([flag, name]) => ((flags & flag) === 0 ? [] : [name]))
}
