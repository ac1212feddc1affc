/** Snapshots: every writable tree has its container, every layer is whole and stands on another that is. */
import type { ImageStore } from '../../images/image-store.ts'
import { shortId } from '../container-record.ts'
import type { Engine } from '../engine.ts'
import { type Finding, FORCED_REMEDY, REPAIR_REMEDY } from './finding.ts'

export async function* checkSnapshots(
  engine: Engine,
  { snapshots }: ImageStore,
): AsyncGenerator<Finding> {
  for (const key of snapshots.activeKeys()) {
    // Keys of containers are their ids, with a number for further mounts; whoever makes other trees looks after them.
    const id = /^([0-9a-f]{64})(?:-mount-\d+)?$/.exec(key)?.[1]
    if (id === undefined || engine.containers.ids().includes(id)) continue
    yield {
      kind: 'snapshot',
      object: shortId(key),
      problem: 'its container is gone',
      remedy: REPAIR_REMEDY,
      repair: async () => {
        snapshots.remove(key)
        return 'removed it'
      },
    }
  }
  for (const chainId of snapshots.layers()) {
    const problem = snapshots.problemOf(chainId)
    if (problem === undefined) continue
    yield {
      kind: 'layer',
      object: chainId,
      problem,
      remedy: `${FORCED_REMEDY}, and pull the images that need it again`,
      loses: 'images and containers that stand on it do not run until it is pulled again',
      repair: async () => {
        await snapshots.discardLayer(chainId)
        return 'removed it: the next pull of its image makes it again'
      },
    }
  }
}
