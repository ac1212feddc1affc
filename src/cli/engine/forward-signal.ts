/** Passes a signal that tsrun got on to a container. */
import type { Engine } from '../../engine/engine.ts'
import { signalContainer, signalNumber } from '../../engine/signal-container.ts'
import { TsrunError } from '../../errors.ts'

/**
 * What a user or a supervisor may send to tsrun and means for the container. SIGTSTP and SIGTTIN stay with
 * tsrun: Ctrl-Z shall stop it like any program.
 */
export const FORWARDED: readonly NodeJS.Signals[] = [
  'SIGHUP',
  'SIGINT',
  'SIGQUIT',
  'SIGTERM',
  'SIGUSR1',
  'SIGUSR2',
  'SIGALRM',
  'SIGIO',
  'SIGPWR',
]

/** A container that has ended while the signal was on its way gets none. */
export function forwardSignal(engine: Engine, id: string, name: NodeJS.Signals): void {
  try {
    signalContainer(engine, id, signalNumber(name))
  } catch (error) {
    if (!(error instanceof TsrunError) || error.kind === 'internal') throw error
  }
}
