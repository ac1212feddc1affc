/** `tsrun restart`: stops containers and starts them again. */
import { restartContainer } from '../../engine/start-container.ts'
import type { EngineCommand } from './command.ts'
import { actOnContainers } from './each-container.ts'
import { STOP_OPTIONS, stopOptionsOf } from './stop.ts'
import { warn } from './warn.ts'

export const command: EngineCommand = {
  usage: 'restart [options] CONTAINER [CONTAINER...]',
  describe: 'Stop containers, when they run, and start them again.',
  options: STOP_OPTIONS,
  examples: [{ does: 'Give it a minute to end', line: 'restart -t 60 web' }],
  positionals: { min: 1, max: Number.POSITIVE_INFINITY },
  run: (input) => {
    const stop = stopOptionsOf(input.options)
    return actOnContainers(input, (engine, id) => restartContainer(engine, id, stop, { warn }))
  },
}
