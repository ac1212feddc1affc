/** `tsrun rename`: another name for a container. */
import { openEngine } from '../../engine/engine.ts'
import { renameContainer } from '../../engine/rename-container.ts'
import type { CommandInput, EngineCommand } from './command.ts'

export const command: EngineCommand = {
  usage: 'rename CONTAINER NEW_NAME',
  describe: 'Give a container another name.',
  options: {},
  examples: [{ does: 'Call the container "web" "old-web"', line: 'rename web old-web' }],
  positionals: { min: 2, max: 2 },
  run,
}

async function run({ positionals, roots }: CommandInput): Promise<number> {
  const engine = openEngine(roots)
  await engine.sweep()
  const [container = '', name = ''] = positionals
  await renameContainer(engine, engine.containers.find(container), name)
  return 0
}
