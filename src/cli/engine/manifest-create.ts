/** `tsrun manifest create`: makes an index over images of several platforms. */
import { openEngine } from '../../engine/engine.ts'
import { createList } from '../../engine/manifest-lists.ts'
import type { CommandInput, EngineCommand } from './command.ts'

export const command: EngineCommand = {
  usage: 'manifest create [options] LIST IMAGE [IMAGE...]',
  describe:
    'Make a manifest list of images that are here, each for its platform. Push it as any image.',
  options: {
    amend: { type: 'flag', alias: 'a', describe: 'add to a list that is there' },
    platform: {
      type: 'string',
      describe: 'take the image for os/architecture[/variant] of each',
      value: 'text',
    },
  },
  examples: [
    { does: 'Two platforms', line: 'manifest create app:1.0 app:1.0-amd64 app:1.0-arm64' },
    { does: 'One more', line: 'manifest create --amend app:1.0 app:1.0-riscv64' },
  ],
  positionals: { min: 2, max: Number.POSITIVE_INFINITY },
  run,
}

async function run({ options, positionals, roots }: CommandInput): Promise<number> {
  const [list = '', ...images] = positionals
  const engine = openEngine(roots)
  await engine.sweep()
  const { digest } = await createList(engine, {
    list,
    images,
    amend: options.flag('amend'),
    platform: options.string('platform'),
  })
  process.stdout.write(`${digest}\n`)
  return 0
}
