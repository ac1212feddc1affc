/** `run`: create, start, and in the foreground wait and delete. */
import { resolve } from 'node:path'
import { TsrunError } from '../../errors.ts'
import { readBundleConfig } from '../../runtime/bundle.ts'
import { type CreateOptions, createContainer } from '../../runtime/create.ts'
import { deleteContainer } from '../../runtime/delete.ts'
import { killContainer } from '../../runtime/kill.ts'
import { startContainer } from '../../runtime/start.ts'
import { type ForegroundSignals, inForeground } from '../foreground-signals.ts'
import { type OciCommand, type OciGlobals, ONE_ID } from './command.ts'
import { createOptions, refuseUnusedConsole } from './create.ts'
import { RUN_FLAGS } from './flag-tables.ts'
import { FORWARDED, forwardSignals } from './forward-signals.ts'

export const runCommand: OciCommand = {
  usage: '[flags] <container-id>',
  description: 'create and start a container; without --detach wait for it and remove it',
  table: RUN_FLAGS,
  positional: ONE_ID,
  async run(args, globals) {
    const options = createOptions(args, globals)
    if (args.boolean('detach')) {
      await createContainer(options)
      await startOrDelete(globals, options.id)
      return 0
    }
    refuseUnusedConsole(options.consoleSocket, false)
    return await inForeground(FORWARDED, (signals) =>
      runForeground(options, args.boolean('keep'), signals),
    )
  },
}

async function runForeground(
  options: CreateOptions,
  keep: boolean,
  signals: ForegroundSignals,
): Promise<number> {
  const { root, id } = options
  const config = options.config ?? readBundleConfig(resolve(options.bundle))
  const onTerminal = config.process?.terminal === true && options.consoleSocket === undefined
  using relay = onTerminal ? (await import('./relay-terminal.ts')).openTerminalRelay() : undefined
  const { exited } = await createContainer({
    ...options,
    config,
    supervise: true,
    signal: signals.stop,
    ...(relay === undefined ? {} : { consoleFd: relay.consoleFd }),
  })
  // Only from here on: a create that failed may have met a container of another.
  try {
    if (exited === undefined) throw new TsrunError('internal', 'cannot wait for the container')
    relay?.begin()
    signals.begin()
    await startContainer(root, id, {
      onStarted: () => forwardSignals(signals, (signal) => killContainer(root, id, signal)),
      ...(options.warn === undefined ? {} : { warn: options.warn }),
    })
    const { exitCode } = await exited
    await relay?.drained()
    return exitCode
  } finally {
    if (!keep) {
      await deleteContainer(root, id, true)
      // What it printed before it failed to start is shown too.
      await relay?.drained()
    }
  }
}

async function startOrDelete(globals: OciGlobals, id: string): Promise<void> {
  try {
    await startContainer(globals.root, id, globals)
  } catch (error) {
    await deleteContainer(globals.root, id, true)
    throw error
  }
}
