/** `tsrun container inspect`: everything about containers, in docker's shape. */
import { openEngine } from '../../engine/engine.ts'
import { inspectContainer } from '../../engine/inspect-container.ts'
import type { CommandInput, EngineCommand } from './command.ts'
import { INSPECT_OPTIONS, inspectNames } from './inspect-names.ts'

export const command: EngineCommand = {
  usage: 'container inspect [options] CONTAINER [CONTAINER...]',
  describe: 'Show everything about containers as JSON.',
  options: INSPECT_OPTIONS,
  examples: [
    {
      does: 'The state of a container',
      line: 'container inspect --format "{{.State.Status}}" web',
    },
  ],
  positionals: { min: 1, max: Number.POSITIVE_INFINITY },
  run,
}

async function run(input: CommandInput): Promise<number> {
  const engine = openEngine(input.roots)
  await engine.sweep()
  return await inspectNames(input, (name) => inspectContainer(engine, engine.containers.find(name)))
}
