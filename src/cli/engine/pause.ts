/** `tsrun pause`: freezes containers. */
import { openEngine } from '../../engine/engine.ts'
import { pauseContainer } from '../../engine/pause-container.ts'
import type { CommandInput, EngineCommand } from './command.ts'
import { forEachContainer } from './each-container.ts'

export const command: EngineCommand = {
  usage: 'pause CONTAINER [CONTAINER...]',
  describe: 'Freeze all processes of running containers.',
  options: {},
  examples: [{ does: 'Freeze two containers', line: 'pause web db' }],
  positionals: { min: 1, max: Number.POSITIVE_INFINITY },
  run,
}

async function run({ positionals, roots }: CommandInput): Promise<number> {
  const engine = openEngine(roots)
  await engine.sweep()
  return await forEachContainer(positionals, async (name) => {
    await pauseContainer(engine, engine.containers.find(name))
    return name
  })
}
