/** The engine: where its stores are, and what every command does first. */
import { ContainerStore } from './container-store.ts'

export interface EngineOptions {
  /** Images, layers and containers; default /var/lib/tsrun. */
  readonly dataRoot: string
  /** State of containers that run; default /run/tsrun-engine. */
  readonly stateRoot: string
}

export interface Engine {
  readonly dataRoot: string
  readonly stateRoot: string
  readonly containers: ContainerStore
  /** Removes what a killed tsrun has left half made. Each command calls it first. */
  sweep(): Promise<void>
}

/** Opens the engine. Nothing is created before something is stored. */
export function openEngine({ dataRoot, stateRoot }: EngineOptions): Engine {
  const engine: Engine = {
    dataRoot,
    stateRoot,
    containers: new ContainerStore(dataRoot),
    async sweep() {
      if (engine.containers.unfinished().length === 0) return
      const { removeUnfinished } = await import('./remove-container.ts')
      await removeUnfinished(engine)
    },
  }
  return engine
}
