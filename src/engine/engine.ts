/** The engine: where its stores are, and what every command does first. */
import { join } from 'node:path'
import { TsrunError } from '../errors.ts'
import { OverlaySnapshotter } from '../snapshots/overlay-snapshotter.ts'
import type { Snapshotter } from '../snapshots/snapshotter.ts'
import { namesIn } from '../util/if-there.ts'
import { whoCanChange } from '../util/who-can-change.ts'
import { ContainerStore } from './container-store.ts'
import { VolumeStore } from './volumes/volume-store.ts'

export interface EngineOptions {
  /** Images, layers and containers; default /var/lib/tsrun. */
  readonly dataRoot: string
  /** State of containers that run; default /run/tsrun-engine. */
  readonly stateRoot: string
  /** How to call tsrun with these roots: what a monitor runs in the end. Absolute path first. */
  readonly command: readonly string[]
}

export interface Engine extends EngineOptions {
  readonly containers: ContainerStore
  readonly volumes: VolumeStore
  snapshotter(): Snapshotter
  /** Removes what a killed tsrun has left half made. Each command calls it first. */
  sweep(): Promise<void>
}

/**
 * Opens the engine. Nothing is created before something is stored. Throws `failed-precondition` when others
 * can change what is in the data root.
 */
export function openEngine(options: EngineOptions): Engine {
  refuseShared(options.dataRoot)
  const engine: Engine = {
    ...options,
    containers: new ContainerStore(options.dataRoot),
    volumes: new VolumeStore(options.dataRoot),
    snapshotter: () => new OverlaySnapshotter(join(options.dataRoot, 'snapshots')),
    async sweep() {
      engine.volumes.removeAbandoned()
      if (engine.containers.unfinished().length > 0) {
        const { removeUnfinished } = await import('./remove-container.ts')
        await removeUnfinished(engine)
      }
      // After the containers that use them.
      if (namesIn(join(options.dataRoot, 'build', 'work')).length > 0) {
        const { removeAbandonedWork } = await import('./build/work-tree.ts')
        removeAbandonedWork(engine)
      }
    },
  }
  return engine
}

// Layers become root filesystems and records say what to run and to remove, all as root.
function refuseShared(dataRoot: string): void {
  const { stranger } = whoCanChange(dataRoot) ?? {}
  if (stranger === undefined) return
  throw new TsrunError('failed-precondition', `cannot keep images in ${dataRoot}: ${stranger}`, {
    hint: 'give --data-root a directory that belongs to you and that nobody else may write in',
  })
}
