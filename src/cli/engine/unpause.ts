/** `tsrun unpause`: lets paused containers go on. */
import { openEngine } from '../../engine/engine.ts'
import { unpauseContainer } from '../../engine/pause-container.ts'
import type { CommandInput, EngineCommand } from './command.ts'
import { forEachContainer } from './each-container.ts'

export const command: EngineCommand = {
  usage: 'unpause CONTAINER [CONTAINER...]',
  describe: 'Let the processes of paused containers go on.',
  options: {},
  examples: [{ does: 'Let them go on', line: 'unpause web db' }],
  positionals: { min: 1, max: Number.POSITIVE_INFINITY },
  run,
}

async function run({ positionals, roots }: CommandInput): Promise<number> {
  const engine = openEngine(roots)
  await engine.sweep()
  return await forEachContainer(positionals, async (name) => {
    await unpauseContainer(engine, engine.containers.find(name))
    return name
  })
}
