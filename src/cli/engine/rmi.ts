/** `tsrun rmi`: removes images. */
import { openEngine } from '../../engine/engine.ts'
import { removeImage } from '../../engine/images.ts'
import { describeError } from '../../errors.ts'
import type { CommandInput, EngineCommand } from './command.ts'

export const command: EngineCommand = {
  usage: 'rmi [options] IMAGE [IMAGE...]',
  describe: 'Remove names of images, and images that have no name left.',
  options: {
    force: {
      type: 'flag',
      alias: 'f',
      describe: 'also with several names, or when containers use it',
    },
  },
  examples: [{ does: 'By name', line: 'rmi alpine:3.20' }],
  positionals: { min: 1, max: Number.POSITIVE_INFINITY },
  run,
}

async function run({ options, positionals, roots }: CommandInput): Promise<number> {
  const engine = openEngine(roots)
  await engine.sweep()
  let failed = false
  // One after the other: two names of one image in one command count in this order.
  for (const text of positionals) {
    try {
      const { untagged, deleted } = await removeImage(engine, text, options.flag('force'))
      const lines = [
        ...untagged.map((name) => `Untagged: ${name}\n`),
        ...deleted.map((id) => `Deleted: ${id}\n`),
      ]
      process.stdout.write(lines.join(''))
    } catch (error) {
      failed = true
      process.stderr.write(`tsrun: ${describeError(error)}\n`)
    }
  }
  return failed ? 1 : 0
}
