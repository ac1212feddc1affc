/** Removes a container that holds nothing of the kernel's any more: its volumes' claims, its layer, its folder. */
import type { Engine } from './engine.ts'
import { containerEvent } from './events/event.ts'
import { recordEvent } from './events/event-log.ts'
import { discardRoot } from './root-filesystem.ts'

/** The caller holds the container's lock and has released it. `volumes`: those that were made for it alone. */
export async function discardContainer(
  engine: Engine,
  id: string,
  volumes: 'keep' | 'remove',
): Promise<void> {
  const { containers } = engine
  containers.markForRemoval(id, volumes)
  const record = containers.read(id)
  if (record !== undefined && record.volumes.length > 0) {
    const { detachVolumes } = await import('./volumes/detach-volumes.ts')
    await detachVolumes(engine, record, { remove: volumes === 'remove' })
  }
  discardRoot(engine, id)
  containers.remove(id)
  if (record !== undefined) recordEvent(engine.dataRoot, containerEvent(record, 'destroy'))
}
