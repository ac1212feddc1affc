/** `tsrun network rm`: removes networks with their bridges and rules. */
import { openEngine } from '../../../engine/engine.ts'
import { removeNetwork } from '../../../engine/networks/remove-network.ts'
import { TsrunError } from '../../../errors.ts'
import type { CommandInput, EngineCommand } from '../command.ts'
import { forEachContainer } from '../each-container.ts'

export const command: EngineCommand = {
  usage: 'network rm [options] NETWORK [NETWORK...]',
  describe:
    'Remove networks. One that a running container is in is refused; bridge comes back when it is needed.',
  options: {
    force: { type: 'flag', alias: 'f', describe: 'a missing one is no error' },
  },
  examples: [{ does: 'A network that is not needed any more', line: 'network rm app' }],
  positionals: { min: 1, max: Number.POSITIVE_INFINITY },
  run,
}

async function run({ options, positionals, roots }: CommandInput): Promise<number> {
  const engine = openEngine(roots)
  await engine.sweep()
  return await forEachContainer(positionals, async (name) => {
    try {
      await removeNetwork(engine, name)
    } catch (error) {
      const isMissing = error instanceof TsrunError && error.kind === 'not-found'
      if (!isMissing || !options.flag('force')) throw error
    }
    return name
  })
}
