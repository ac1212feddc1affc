/** Passes signals of a foreground command on to the process that it waits for. */
import { TsrunError } from '../../errors.ts'
import { parseSignal } from '../../linux/signals.ts'

/** runc forwards all that can be caught but SIGCHLD, SIGPIPE and SIGURG, which concern the command itself. */
const FORWARDED: readonly NodeJS.Signals[] = [
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

/** Until disposed, `send` gets the number of each signal that comes. */
export function forwardSignals(send: (signal: number) => Promise<void>): Disposable {
  const listeners = FORWARDED.map((name) => {
    const listener = (): void => {
      const signal = parseSignal(name)
      if (signal !== undefined) send(signal).catch(ignoreEnded)
    }
    process.on(name, listener)
    return { name, listener }
  })
  return {
    [Symbol.dispose]() {
      for (const { name, listener } of listeners) process.off(name, listener)
    },
  }
}

// It ended on its own just now, which is what most senders want.
function ignoreEnded(error: unknown): void {
  if (!(error instanceof TsrunError && error.kind === 'not-found')) throw error
}
