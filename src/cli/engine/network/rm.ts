/** `tsrun network rm`: removes networks with their bridges and rules. */
import { removeNetwork } from '../../../engine/networks/remove-network.ts'
import type { EngineCommand } from '../command.ts'
import { REMOVE_OPTIONS, removeNames } from '../remove-names.ts'

export const command: EngineCommand = {
  usage: 'network rm [options] NETWORK [NETWORK...]',
  describe:
    'Remove networks. One that a running container is in is refused; bridge comes back when it is needed.',
  options: REMOVE_OPTIONS,
  examples: [{ does: 'A network that is not needed any more', line: 'network rm app' }],
  positionals: { min: 1, max: Number.POSITIVE_INFINITY },
  run: (input) => removeNames(input, removeNetwork),
}
