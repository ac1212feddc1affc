/** `tsrun volume import`: files of a tar into a volume. */
import { openEngine } from '../../../engine/engine.ts'
import { importVolume } from '../../../engine/volumes/volume-archive.ts'
import type { CommandInput, EngineCommand } from '../command.ts'
import { warnOfSkipped } from '../warn.ts'

export const command: EngineCommand = {
  usage: 'volume import VOLUME FILE|-',
  describe:
    'Unpack a tar, also a compressed one, into a volume that is there. - is stdin. What the volume has stays, unless the tar has it too.',
  options: {},
  examples: [
    { does: 'Fill a volume from a copy', line: 'volume import pgdata pgdata.tar' },
    { does: 'From a compressed copy', line: 'volume import pgdata - < pgdata.tar.gz' },
  ],
  positionals: { min: 2, max: 2 },
  run,
}

async function run({ positionals, roots }: CommandInput): Promise<number> {
  const [name = '', source = '-'] = positionals
  const engine = openEngine(roots)
  await engine.sweep()
  await importVolume(engine, name, source === '-' ? undefined : source, warnOfSkipped)
  return 0
}
