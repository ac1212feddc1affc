/** `tsrun image inspect`: everything about images, in docker's shape. */
import { openEngine } from '../../engine/engine.ts'
import { imagesOf } from '../../engine/images.ts'
import { inspectImage } from '../../engine/inspect-image.ts'
import { describeError } from '../../errors.ts'
import { formatObjects } from '../output.ts'
import type { CommandInput, EngineCommand } from './command.ts'
import { print } from './print.ts'

export const command: EngineCommand = {
  usage: 'image inspect [options] IMAGE [IMAGE...]',
  describe: 'Show everything about images as JSON.',
  options: {
    format: { type: 'string', alias: 'f', describe: 'json or a Go template', value: 'text' },
  },
  examples: [
    {
      does: 'The command of an image',
      line: 'image inspect --format "{{json .Config.Cmd}}" alpine',
    },
  ],
  positionals: { min: 1, max: Number.POSITIVE_INFINITY },
  run,
}

async function run({ options, positionals, roots }: CommandInput): Promise<number> {
  const store = imagesOf(openEngine(roots))
  const found: unknown[] = []
  const failures: unknown[] = []
  for (const name of positionals) {
    try {
      found.push(inspectImage(store, store.resolve(name)))
    } catch (error) {
      failures.push(error)
    }
  }
  print(formatObjects(found, options.string('format')))
  for (const failure of failures) process.stderr.write(`tsrun: ${describeError(failure)}\n`)
  return failures.length > 0 ? 1 : 0
}
