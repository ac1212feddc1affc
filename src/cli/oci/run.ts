/** `run`: create, start, and in the foreground wait and delete. */
import { TsrunError } from '../../errors.ts'
import { parseSignal } from '../../linux/signals.ts'
import { createContainer } from '../../runtime/create.ts'
import { deleteContainer } from '../../runtime/delete.ts'
import { killContainer } from '../../runtime/kill.ts'
import { startContainer } from '../../runtime/start.ts'
import type { OciCommand, OciGlobals } from './command.ts'
import { createOptions } from './create.ts'
import { RUN_FLAGS } from './flag-tables.ts'

/** Signals that a foreground command passes on to the container (runc's list, less those of job control). */
export const FORWARDED_SIGNALS: readonly NodeJS.Signals[] = [
  'SIGTERM',
  'SIGINT',
  'SIGHUP',
  'SIGQUIT',
  'SIGUSR2',
  'SIGALRM',
  'SIGCONT',
  'SIGWINCH',
]

export const runCommand: OciCommand = {
  usage: '[flags] <container-id>',
  description: 'create and start a container; without --detach wait for it and remove it',
  table: RUN_FLAGS,
  async run(args, globals) {
    const options = createOptions(args, globals, 'run')
    if (args.boolean('detach')) {
      await createContainer(options)
      await startOrDelete(globals, options.id)
      return 0
    }
    const { exited } = await createContainer({ ...options, supervise: true })
    const forward = forwardSignals(globals.root, options.id)
    try {
      await startOrDelete(globals, options.id)
      if (exited === undefined) throw new TsrunError('internal', 'cannot wait for the container')
      return (await exited).exitCode
    } finally {
      forward.stop()
      if (!args.boolean('keep')) await deleteContainer(globals.root, options.id, true)
    }
  },
}

async function startOrDelete(globals: OciGlobals, id: string): Promise<void> {
  try {
    await startContainer(globals.root, id)
  } catch (error) {
    await deleteContainer(globals.root, id, true)
    throw error
  }
}

/** Passes signals on to the container until stopped. */
export function forwardSignals(root: string, id: string): { stop(): void } {
  const listeners = FORWARDED_SIGNALS.map((name) => {
    const listener = (): void => {
      const signal = parseSignal(name)
      try {
        if (signal !== undefined) killContainer(root, id, signal)
      } catch (error) {
        // It ended on its own just now, which is what most senders want.
        if (!(error instanceof TsrunError && error.kind === 'not-found')) throw error
      }
    }
    process.on(name, listener)
    return { name, listener }
  })
  return {
    stop() {
      for (const { name, listener } of listeners) process.off(name, listener)
    },
  }
}
