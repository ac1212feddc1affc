/** `tsrun internal-cleanup`: what a monitor runs when its container has ended, or was never finished. */
import { openEngine } from '../../engine/engine.ts'
import { finishRun } from '../../engine/restart-ended.ts'
import type { CommandInput, EngineCommand } from './command.ts'
import { warn } from './warn.ts'

export const command: EngineCommand = {
  usage: 'internal-cleanup ID',
  describe: 'Release what an ended container holds, or start it anew. Called by its monitor.',
  options: {},
  examples: [],
  positionals: { min: 1, max: 1 },
  run,
}

async function run({ positionals, roots }: CommandInput): Promise<number> {
  return await finishRun(openEngine(roots), positionals[0] ?? '', process.ppid, warn)
}
