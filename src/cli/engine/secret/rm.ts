/** `tsrun secret rm`: removes secrets. */
import { SecretStore } from '../../../engine/secrets/secret-store.ts'
import type { EngineCommand } from '../command.ts'
import { REMOVE_OPTIONS, removeNames } from '../remove-names.ts'

export const command: EngineCommand = {
  usage: 'secret rm [options] SECRET [SECRET...]',
  describe: 'Remove secrets. Containers that were made with one keep their copy.',
  options: REMOVE_OPTIONS,
  examples: [{ does: 'One that is not needed any more', line: 'secret rm db-password' }],
  positionals: { min: 1, max: Number.POSITIVE_INFINITY },
  run: (input) =>
    removeNames(input, async (engine, name) => new SecretStore(engine.dataRoot).remove(name)),
}
