/** Removes volumes that no container uses. */
import { TsrunError } from '../../errors.ts'
import { usageOf } from '../../snapshots/usage.ts'
import { shortId } from '../container-record.ts'
import type { Engine } from '../engine.ts'
import { pruneEvent } from '../events/event.ts'
import { recordEvent } from '../events/event-log.ts'
import { mountSourceOf } from './driver-options.ts'
import { chooseVolumes, everyVolume } from './list-volumes.ts'

/** Throws `not-found`, and `failed-precondition` naming the containers that use it. */
export async function removeVolume(engine: Engine, name: string): Promise<void> {
  using locked = await engine.volumes.lock(name, 'exclusive')
  if (locked === undefined) throw engine.volumes.notFound(name)
  const users = engine.volumes.users(name).map((id) => nameOf(engine, id))
  if (users.length > 0) {
    const [one, ...more] = users
    throw new TsrunError(
      'failed-precondition',
      `cannot remove volume "${name}": it is used by container ${[one, ...more].map((user) => `"${user}"`).join(', ')}`,
      { hint: `remove that first: tsrun rm ${users.join(' ')}` },
    )
  }
  engine.volumes.remove(locked)
}

export interface PrunedVolumes {
  readonly names: readonly string[]
  /** Bytes that their files had. */
  readonly reclaimed: number
}

/** Removes the volumes that nobody uses: those without a name of their own, or with `all` every one. */
export async function pruneVolumes(
  engine: Engine,
  { all, filters }: { readonly all: boolean; readonly filters: readonly string[] },
): Promise<PrunedVolumes> {
  const unused = everyVolume(engine).filter(({ users }) => users.length === 0)
  const chosen = chooseVolumes(unused, all ? filters : [...filters, 'anonymous=true'])
  const names: string[] = []
  let reclaimed = 0
  for (const { volume } of chosen) {
    using locked = await engine.volumes.lock(volume.name, 'exclusive')
    // Somebody took it, or removed it, since it was listed.
    if (locked === undefined || engine.volumes.users(volume.name).length > 0) continue
    reclaimed += sizeOf(engine, volume.name)
    engine.volumes.remove(locked)
    names.push(volume.name)
  }
  recordEvent(engine.dataRoot, pruneEvent('volume', reclaimed))
  return { names, reclaimed }
}

/** Bytes of the volume's own files; what it has on a device of its own is not counted. */
export function sizeOf(engine: Engine, name: string): number {
  const volume = engine.volumes.read(name)
  if (volume === undefined || mountSourceOf(name, volume) !== undefined) return 0
  return usageOf(engine.volumes.dataFolder(name)).bytes
}

function nameOf({ containers }: Engine, id: string): string {
  return containers.read(id)?.name ?? shortId(id)
}
