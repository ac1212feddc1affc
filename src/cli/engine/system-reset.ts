/** `tsrun system reset`: everything that tsrun keeps goes. */
import { openEngine } from '../../engine/engine.ts'
import { resetStore } from '../../engine/reset.ts'
import type { CommandInput, EngineCommand } from './command.ts'
import { confirm } from './confirm.ts'

export const command: EngineCommand = {
  usage: 'system reset [options]',
  describe: 'End all containers and remove everything: containers, images, layers, volumes.',
  options: {
    force: { type: 'flag', alias: 'f', describe: 'do not ask' },
  },
  examples: [{ does: 'As after the installation', line: 'system reset' }],
  positionals: { min: 0, max: 0 },
  run,
}

async function run({ options, roots }: CommandInput): Promise<number> {
  const warning = `WARNING! This will end all containers and remove everything in ${roots.dataRoot}:\n  - all containers\n  - all images\n  - all volumes\n`
  if (!options.flag('force') && !confirm(warning, 'system reset')) return 0
  await resetStore(openEngine(roots))
  return 0
}
