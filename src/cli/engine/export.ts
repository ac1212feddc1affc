/** `tsrun export`: a container's files as one tar. */
import { openEngine } from '../../engine/engine.ts'
import { exportContainer } from '../../engine/files/export-container.ts'
import type { CommandInput, EngineCommand } from './command.ts'
import { warnOfSkipped } from './warn.ts'
import { writeFileWhole, writeOutput } from './write-output.ts'

export const command: EngineCommand = {
  usage: 'export [options] CONTAINER',
  describe: "Write a container's files, without its volumes, as a tar.",
  options: {
    output: { type: 'string', alias: 'o', describe: 'to a file instead of stdout', value: 'file' },
  },
  examples: [{ does: 'Keep the files of a container', line: 'export -o web.tar web' }],
  positionals: { min: 1, max: 1 },
  run,
}

async function run({ options, positionals, roots }: CommandInput): Promise<number> {
  const engine = openEngine(roots)
  await engine.sweep()
  const id = engine.containers.find(positionals[0] ?? '')
  const tar = exportContainer(engine, id, warnOfSkipped)
  const output = options.string('output')
  if (output === undefined) await writeOutput(tar)
  else await writeFileWhole(output, tar)
  return 0
}
