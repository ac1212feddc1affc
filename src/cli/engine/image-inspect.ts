/** `tsrun image inspect`: everything about images, in docker's shape. */
import { openEngine } from '../../engine/engine.ts'
import { imagesOf } from '../../engine/images.ts'
import { inspectImage } from '../../engine/inspect-image.ts'
import type { CommandInput, EngineCommand } from './command.ts'
import { INSPECT_OPTIONS, inspectNames } from './inspect-names.ts'

export const command: EngineCommand = {
  usage: 'image inspect [options] IMAGE [IMAGE...]',
  describe: 'Show everything about images as JSON.',
  options: INSPECT_OPTIONS,
  examples: [
    {
      does: 'The command of an image',
      line: 'image inspect --format "{{json .Config.Cmd}}" alpine',
    },
  ],
  positionals: { min: 1, max: Number.POSITIVE_INFINITY },
  run,
}

async function run(input: CommandInput): Promise<number> {
  const store = imagesOf(openEngine(input.roots))
  return await inspectNames(input, (name) => inspectImage(store, store.resolve(name)))
}
