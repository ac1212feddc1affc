/** `tsrun stop`: asks containers to end, and makes them after a while. */
import { signalNumber } from '../../engine/signal-container.ts'
import { type StopOptions, stopContainer } from '../../engine/stop-container.ts'
import type { CommandOptions, EngineCommand } from './command.ts'
import { actOnContainers } from './each-container.ts'

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
  run: (input) => {
    const stop = stopOptionsOf(input.options)
    return actOnContainers(input, (engine, id) => stopContainer(engine, id, stop))
  },
}
