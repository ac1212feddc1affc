/** `tsrun stop`: asks containers to end, and makes them after a while. */
import { openEngine } from '../../engine/engine.ts'
import { signalNumber } from '../../engine/signal-container.ts'
import { type StopOptions, stopContainer } from '../../engine/stop-container.ts'
import type { CommandInput, CommandOptions, EngineCommand } from './command.ts'
import { forEachContainer } from './each-container.ts'

export const STOP_OPTIONS: EngineCommand['options'] = {
  signal: { type: 'string', alias: 's', describe: 'instead of the stop signal', value: 'signal' },
  time: {
    type: 'string',
    alias: 't',
    describe: 'seconds until SIGKILL, -1 for never',
    value: '10',
  },
  timeout: { type: 'string', describe: 'the same as --time', value: '10' },
}

/** What `stop` and `restart` are told by their options. */
export function stopOptionsOf(options: CommandOptions): StopOptions {
  const name = options.string('signal')
  return {
    timeout: options.integer('time', -1) ?? options.integer('timeout', -1),
    signal: name === undefined ? undefined : signalNumber(name),
  }
}

export const command: EngineCommand = {
  usage: 'stop [options] CONTAINER [CONTAINER...]',
  describe: 'Stop running containers: their stop signal first, SIGKILL after a while.',
  options: STOP_OPTIONS,
  examples: [{ does: 'Give it a minute before SIGKILL', line: 'stop -t 60 web' }],
  positionals: { min: 1, max: Number.POSITIVE_INFINITY },
  run,
}

async function run({ options, positionals, roots }: CommandInput): Promise<number> {
  const stop = stopOptionsOf(options)
  const engine = openEngine(roots)
  await engine.sweep()
  return forEachContainer(positionals, async (container) => {
    await stopContainer(engine, engine.containers.find(container), stop)
    return container
  })
}
