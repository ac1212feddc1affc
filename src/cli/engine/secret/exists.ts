/** `tsrun secret exists`: an exit code for scripts. */
import { openEngine } from '../../../engine/engine.ts'
import { SecretStore } from '../../../engine/secrets/secret-store.ts'
import type { CommandInput, EngineCommand } from '../command.ts'

export const command: EngineCommand = {
  usage: 'secret exists SECRET',
  describe: 'Exit with 0 when there is a secret of this name, and with 1 when there is none.',
  options: {},
  examples: [
    { does: 'Make it once', line: 'secret exists key || tsrun secret create key key.pem' },
  ],
  positionals: { min: 1, max: 1 },
  run,
}

async function run({ positionals, roots }: CommandInput): Promise<number> {
  const engine = openEngine(roots)
  await engine.sweep()
  return new SecretStore(engine.dataRoot).read(positionals[0] ?? '') === undefined ? 1 : 0
}
