/** `tsrun volume exists`: an exit code for scripts. */
import { openEngine } from '../../../engine/engine.ts'
import type { CommandInput, EngineCommand } from '../command.ts'

export const command: EngineCommand = {
  usage: 'volume exists VOLUME',
  describe: 'Exit with 0 when there is a volume of this name, and with 1 when there is none.',
  options: {},
  examples: [{ does: 'Make it once', line: 'volume exists pgdata || tsrun volume create pgdata' }],
  positionals: { min: 1, max: 1 },
  run,
}

async function run({ positionals, roots }: CommandInput): Promise<number> {
  const engine = openEngine(roots)
  await engine.sweep()
  return engine.volumes.read(positionals[0] ?? '') === undefined ? 1 : 0
}
