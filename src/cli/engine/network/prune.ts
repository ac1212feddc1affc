/** `tsrun network prune`: removes networks that no container wants to be in. */
import { openEngine } from '../../../engine/engine.ts'
import { pruneNetworks } from '../../../engine/networks/remove-network.ts'
import type { CommandInput, EngineCommand } from '../command.ts'
import { confirm } from '../confirm.ts'

export const command: EngineCommand = {
  usage: 'network prune [options]',
  describe: 'Remove all networks of your own that no container uses.',
  options: { force: { type: 'flag', alias: 'f', describe: 'do not ask' } },
  examples: [{ does: 'Unasked', line: 'network prune --force' }],
  positionals: { min: 0, max: 0 },
  run,
}

async function run({ options, roots }: CommandInput): Promise<number> {
  const engine = openEngine(roots)
  await engine.sweep()
  const question = 'This will remove all networks not used by at least one container.'
  if (!options.flag('force') && !confirm(question, 'network prune')) return 0
  const names = await pruneNetworks(engine)
  if (names.length > 0) process.stdout.write(`Deleted Networks:\n${names.join('\n')}\n`)
  return 0
}
