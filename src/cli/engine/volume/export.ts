/** `tsrun volume export`: the files of a volume as one tar. */
import { openEngine } from '../../../engine/engine.ts'
import { exportVolume } from '../../../engine/volumes/volume-archive.ts'
import type { CommandInput, EngineCommand } from '../command.ts'
import { warnOfSkipped } from '../warn.ts'
import { writeFileWhole, writeOutput } from '../write-output.ts'

export const command: EngineCommand = {
  usage: 'volume export [options] VOLUME',
  describe: 'Write the files of a volume as a tar.',
  options: {
    output: { type: 'string', alias: 'o', describe: 'to a file instead of stdout', value: 'file' },
  },
  examples: [
    { does: 'Keep a copy of a volume', line: 'volume export -o pgdata.tar pgdata' },
    {
      does: 'Copy a volume to another machine',
      line: 'volume export pgdata | ssh other tsrun volume import pgdata -',
    },
  ],
  positionals: { min: 1, max: 1 },
  run,
}

async function run({ options, positionals, roots }: CommandInput): Promise<number> {
  const engine = openEngine(roots)
  await engine.sweep()
  const name = positionals[0] ?? ''
  // Before the file is made.
  engine.volumes.find(name)
  const tar = exportVolume(engine, name, warnOfSkipped)
  const output = options.string('output')
  if (output === undefined) await writeOutput(tar)
  else await writeFileWhole(output, tar)
  return 0
}
