/** `tsrun pause`: freezes containers. */
import { pauseContainer } from '../../engine/pause-container.ts'
import type { EngineCommand } from './command.ts'
import { actOnContainers } from './each-container.ts'

export const command: EngineCommand = {
  usage: 'pause CONTAINER [CONTAINER...]',
  describe: 'Freeze all processes of running containers.',
  options: {},
  examples: [{ does: 'Freeze two containers', line: 'pause web db' }],
  positionals: { min: 1, max: Number.POSITIVE_INFINITY },
  run: (input) => actOnContainers(input, pauseContainer),
}
