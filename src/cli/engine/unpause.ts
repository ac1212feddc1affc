/** `tsrun unpause`: lets paused containers go on. */
import { unpauseContainer } from '../../engine/pause-container.ts'
import type { EngineCommand } from './command.ts'
import { actOnContainers } from './each-container.ts'

export const command: EngineCommand = {
  usage: 'unpause CONTAINER [CONTAINER...]',
  describe: 'Let the processes of paused containers go on.',
  options: {},
  examples: [{ does: 'Let them go on', line: 'unpause web db' }],
  positionals: { min: 1, max: Number.POSITIVE_INFINITY },
  run: (input) => actOnContainers(input, unpauseContainer),
}
