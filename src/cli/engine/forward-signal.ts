/** Passes a signal that tsrun got on to a container. */
import type { Engine } from '../../engine/engine.ts'
import { signalContainer, signalNumber } from '../../engine/stop-container.ts'
import { TsrunError } from '../../errors.ts'

/** A container that is not there yet, or has ended while the signal was on its way, gets none. */
export function forwardSignal(engine: Engine, id: string | undefined, name: NodeJS.Signals): void {
  if (id === undefined) return
  try {
    signalContainer(engine, id, signalNumber(name))
  } catch (error) {
    if (!(error instanceof TsrunError) || error.kind === 'internal') throw error
  }
}
