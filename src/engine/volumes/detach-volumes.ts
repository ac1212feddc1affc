/** What becomes of a container's volumes after it: their mounts go when it has ended, anonymous ones with it. */
import type { Ids } from '../../spec/user-namespace.ts'
import type { ContainerRecord, VolumeRecord } from '../container-record.ts'
import type { Engine } from '../engine.ts'
import { mountVolume, unmountVolume } from './mount-volume.ts'
import { stageMount } from './stage-mounts.ts'

/** Mounts again what a container that has been made before takes its volumes from. */
export async function remountVolumes(
  engine: Engine,
  record: ContainerRecord,
  ids: Ids | undefined,
): Promise<void> {
  for (const volume of record.volumes) {
    if (volume.name !== undefined) {
      using locked = await engine.volumes.lock(volume.name, 'exclusive')
      if (locked !== undefined) mountVolume(locked)
    }
    stageMount(engine, engine.containers.directory(record.id), volume, ids)
  }
}

/** The container does not run any more: takes away the mounts of volumes that no other one needs. */
export async function unmountVolumes(engine: Engine, record: ContainerRecord): Promise<void> {
  for (const { name } of named(record)) await unmountVolume(engine, name, record.id)
}

/**
 * The container goes: it is no user of its volumes any more, and with `remove` those that were made for it go
 * too, unless another one uses them. Doing it again is no error.
 */
export async function detachVolumes(
  engine: Engine,
  record: ContainerRecord,
  { remove }: { remove: boolean },
): Promise<void> {
  for (const { name, anonymous } of named(record)) {
    if (remove && anonymous === true) await removeUnused(engine, name, record.id)
    engine.volumes.removeUser(name, record.id)
  }
  for (const { snapshot } of record.volumes)
    if (snapshot !== undefined) engine.snapshotter().remove(snapshot)
}

// Whoever the container inherited it from keeps it, and so does one that has inherited it.
async function removeUnused(engine: Engine, name: string, id: string): Promise<void> {
  using locked = await engine.volumes.lock(name, 'exclusive')
  if (locked === undefined || !locked.volume.anonymous) return
  if (engine.volumes.users(name).every((user) => user === id)) engine.volumes.remove(locked)
}

function named({
  volumes,
}: ContainerRecord): readonly (VolumeRecord & { readonly name: string })[] {
  return volumes.flatMap((volume) => {
    const { name } = volume
    return name === undefined ? [] : [{ ...volume, name }]
  })
}
