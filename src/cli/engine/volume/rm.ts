/** `tsrun volume rm`: removes volumes with their files. */
import { openEngine } from '../../../engine/engine.ts'
import { removeVolume } from '../../../engine/volumes/remove-volume.ts'
import { TsrunError } from '../../../errors.ts'
import type { CommandInput, EngineCommand } from '../command.ts'
import { forEachContainer } from '../each-container.ts'

export const command: EngineCommand = {
  usage: 'volume rm [options] VOLUME [VOLUME...]',
  describe: 'Remove volumes with all their files. One that a container uses is refused.',
  options: {
    force: { type: 'flag', alias: 'f', describe: 'a missing one is no error' },
  },
  examples: [{ does: 'A volume that is not needed any more', line: 'volume rm pgdata' }],
  positionals: { min: 1, max: Number.POSITIVE_INFINITY },
  run,
}

async function run({ options, positionals, roots }: CommandInput): Promise<number> {
  const engine = openEngine(roots)
  await engine.sweep()
  return await forEachContainer(positionals, async (name) => {
    try {
      await removeVolume(engine, name)
    } catch (error) {
      const isMissing = error instanceof TsrunError && error.kind === 'not-found'
      if (!isMissing || !options.flag('force')) throw error
    }
    return name
  })
}
