/** `tsrun network disconnect`: a container leaves a network, also while it runs. */
import { openEngine } from '../../../engine/engine.ts'
import { disconnectNetwork } from '../../../engine/networks/connect-network.ts'
import type { CommandInput, EngineCommand } from '../command.ts'

export const command: EngineCommand = {
  usage: 'network disconnect [options] NETWORK CONTAINER',
  describe: 'Take a container out of a network.',
  options: {
    force: { type: 'flag', alias: 'f', describe: 'also one that is not there any more' },
  },
  examples: [{ does: 'While it runs', line: 'network disconnect app web' }],
  positionals: { min: 2, max: 2 },
  run,
}

async function run({ options, positionals, roots }: CommandInput): Promise<number> {
  const engine = openEngine(roots)
  await engine.sweep()
  const [network = '', container = ''] = positionals
  await disconnectNetwork(engine, network, container, { force: options.flag('force') })
  return 0
}
