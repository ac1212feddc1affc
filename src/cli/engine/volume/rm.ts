/** `tsrun volume rm`: removes volumes with their files. */
import { removeVolume } from '../../../engine/volumes/remove-volume.ts'
import type { EngineCommand } from '../command.ts'
import { REMOVE_OPTIONS, removeNames } from '../remove-names.ts'

export const command: EngineCommand = {
  usage: 'volume rm [options] VOLUME [VOLUME...]',
  describe: 'Remove volumes with all their files. One that a container uses is refused.',
  options: REMOVE_OPTIONS,
  examples: [{ does: 'A volume that is not needed any more', line: 'volume rm pgdata' }],
  positionals: { min: 1, max: Number.POSITIVE_INFINITY },
  run: (input) => removeNames(input, removeVolume),
}
