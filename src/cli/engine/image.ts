/** `tsrun image COMMAND`: the commands on images under docker's longer names. */
import { TsrunError } from '../../errors.ts'
import type { CommandInput, EngineCommand } from './command.ts'

const COMMANDS: Readonly<Record<string, () => Promise<{ readonly command: EngineCommand }>>> = {
  inspect: () => import('./image-inspect.ts'),
  ls: () => import('./images.ts'),
  list: () => import('./images.ts'),
  pull: () => import('./pull.ts'),
  rm: () => import('./rmi.ts'),
  load: () => import('./load.ts'),
  save: () => import('./save.ts'),
  tag: () => import('./tag.ts'),
}

export const command: EngineCommand = {
  usage: 'image COMMAND [arguments]',
  describe: `Commands on images: ${Object.keys(COMMANDS).join(', ')}.`,
  options: {},
  positionals: { min: 1, max: Number.POSITIVE_INFINITY },
  optionsFirst: true,
  run,
}

async function run({ positionals, roots }: CommandInput): Promise<number> {
  const [name = '', ...args] = positionals
  const load = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (load === undefined) {
    throw new TsrunError(
      'invalid-argument',
      `cannot run the command "image ${name}": there is none of this name`,
      {
        hint: 'tsrun image --help lists them',
      },
    )
  }
  const [{ command: chosen }, { parseCommand }] = await Promise.all([
    load(),
    import('./parse-command.ts'),
  ])
  const parsed = await parseCommand(chosen, args)
  if ('help' in parsed) {
    process.stdout.write(`${parsed.help}\n`)
    return 0
  }
  return await chosen.run({ ...parsed, roots })
}
