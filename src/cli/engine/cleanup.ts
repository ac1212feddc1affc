/** `tsrun internal-cleanup`: what a monitor runs when its container has ended, or was never finished. */
import { openEngine } from '../../engine/engine.ts'
import { cleanUpContainer } from '../../engine/remove-container.ts'
import type { CommandInput, EngineCommand } from './command.ts'

export const command: EngineCommand = {
  usage: 'internal-cleanup ID',
  describe: 'Release what an ended container holds. Called by its monitor.',
  options: {},
  examples: [],
  positionals: { min: 1, max: 1 },
  run,
}

async function run({ positionals, roots }: CommandInput): Promise<number> {
  await cleanUpContainer(openEngine(roots), positionals[0] ?? '')
  return 0
}
