/** `tsrun manifest annotate`: corrects the platform of an image in a manifest list. */
import { openEngine } from '../../engine/engine.ts'
import { annotateList } from '../../engine/manifest-lists.ts'
import { TsrunError } from '../../errors.ts'
import type { CommandInput, EngineCommand } from './command.ts'

export const command: EngineCommand = {
  usage: 'manifest annotate [options] LIST IMAGE',
  describe: 'Change the platform that a manifest list says of one of its images.',
  options: {
    os: { type: 'string', describe: 'operating system', value: 'name' },
    arch: { type: 'string', describe: 'architecture', value: 'name' },
    variant: { type: 'string', describe: 'variant of the architecture', value: 'name' },
    'os-version': { type: 'string', describe: 'version of the operating system', value: 'text' },
  },
  examples: [
    {
      does: 'The variant of ARM',
      line: 'manifest annotate --arch arm --variant v6 app:1.0 app:1.0-pi',
    },
  ],
  positionals: { min: 2, max: 2 },
  run,
}

async function run({ options, positionals, roots }: CommandInput): Promise<number> {
  const [list = '', image = ''] = positionals
  const [os, architecture] = [options.string('os'), options.string('arch')]
  const [variant, version] = [options.string('variant'), options.string('os-version')]
  const platform = {
    ...(os === undefined ? {} : { os }),
    ...(architecture === undefined ? {} : { architecture }),
    ...(variant === undefined ? {} : { variant }),
    ...(version === undefined ? {} : { 'os.version': version }),
  }
  if (Object.keys(platform).length === 0)
    throw new TsrunError(
      'invalid-argument',
      `cannot annotate "${list}": nothing is to be changed`,
      {
        hint: 'give --os, --arch, --variant or --os-version',
      },
    )
  const { digest } = await annotateList(openEngine(roots), { list, image, platform })
  process.stdout.write(`${digest}\n`)
  return 0
}
