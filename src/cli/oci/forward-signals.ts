/** Passes signals of a foreground command on to the process that it waits for. */
import { TsrunError } from '../../errors.ts'
import { parseSignal } from '../../linux/signals.ts'
import type { ForegroundSignals } from '../foreground-signals.ts'

/** runc forwards all that can be caught but SIGCHLD, SIGPIPE and SIGURG, which concern the command itself. */
export const FORWARDED: readonly NodeJS.Signals[] = [
  'SIGTERM',
  'SIGINT',
  'SIGHUP',
  'SIGQUIT',
  'SIGUSR1',
  'SIGUSR2',
  'SIGALRM',
  'SIGCONT',
  'SIGTSTP',
  'SIGTTIN',
  'SIGTTOU',
  'SIGWINCH',
]

/** `send` gets the number of each signal from now on, and of those that came before. */
export function forwardSignals(
  signals: ForegroundSignals,
  send: (signal: number) => Promise<void>,
): void {
  signals.deliver((name) => {
    const signal = parseSignal(name)
    if (signal !== undefined) send(signal).catch(ignoreEnded)
  })
}

// It ended on its own just now, which is what most senders want.
function ignoreEnded(error: unknown): void {
  if (!(error instanceof TsrunError && error.kind === 'not-found')) throw error
}
