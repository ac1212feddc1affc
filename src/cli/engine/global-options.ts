/** The options before the command: they are of `tsrun` itself. */
import { DEFAULT_DATA_ROOT, DEFAULT_STATE_ROOT } from '../../engine/default-roots.ts'
import type { OptionSpec } from './command.ts'

export const GLOBAL_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  'data-root': {
    type: 'string',
    describe: `images, layers and containers (${DEFAULT_DATA_ROOT})`,
    value: 'path',
  },
  'state-root': {
    type: 'string',
    describe: `state of running containers (${DEFAULT_STATE_ROOT})`,
    value: 'path',
  },
  debug: { type: 'flag', describe: 'show the stack of an error' },
}
