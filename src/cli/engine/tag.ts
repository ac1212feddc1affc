/** `tsrun tag`: gives an image another name. */
import { openEngine } from '../../engine/engine.ts'
import { tagImage } from '../../engine/images.ts'
import type { CommandInput, EngineCommand } from './command.ts'

export const command: EngineCommand = {
  usage: 'tag IMAGE NAME',
  describe: 'Give an image another name.',
  options: {},
  examples: [{ does: 'A second name', line: 'tag alpine:latest registry.example.com/base:1' }],
  positionals: { min: 2, max: 2 },
  run,
}

async function run({ positionals, roots }: CommandInput): Promise<number> {
  const [image = '', name = ''] = positionals
  await tagImage(openEngine(roots), image, name)
  return 0
}
