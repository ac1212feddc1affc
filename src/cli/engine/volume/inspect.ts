/** `tsrun volume inspect`: everything about volumes, in docker's shape. */
import { openEngine } from '../../../engine/engine.ts'
import { inspectVolume } from '../../../engine/volumes/inspect-volume.ts'
import type { CommandInput, EngineCommand } from '../command.ts'
import { INSPECT_OPTIONS, inspectNames } from '../inspect-names.ts'

export const command: EngineCommand = {
  usage: 'volume inspect [options] VOLUME [VOLUME...]',
  describe: 'Show everything about volumes as JSON.',
  options: INSPECT_OPTIONS,
  examples: [
    { does: 'Where its files are', line: 'volume inspect --format "{{.Mountpoint}}" pgdata' },
  ],
  positionals: { min: 1, max: Number.POSITIVE_INFINITY },
  run,
}

async function run(input: CommandInput): Promise<number> {
  const engine = openEngine(input.roots)
  await engine.sweep()
  return await inspectNames(input, (name) => inspectVolume(engine, name))
}
