/** `tsrun image prune`: removes images that nothing needs. */
import { openEngine } from '../../engine/engine.ts'
import { pruneImages } from '../../engine/prune-images.ts'
import { TsrunError } from '../../errors.ts'
import { humanSize } from '../../util/size.ts'
import { askText } from './ask-user.ts'
import type { CommandInput, EngineCommand } from './command.ts'

export const command: EngineCommand = {
  usage: 'image prune [options]',
  describe: 'Remove images without a name, and blobs and layers that no image needs.',
  options: {
    all: { type: 'flag', alias: 'a', describe: 'all images that no container uses' },
    filter: {
      type: 'list',
      describe: 'until=TIME, label=KEY[=VALUE], label!=…; may be repeated',
      value: 'text',
    },
    force: { type: 'flag', alias: 'f', describe: 'do not ask' },
  },
  examples: [
    {
      does: 'What no container uses and is older than a week',
      line: 'image prune -af --filter until=168h',
    },
  ],
  positionals: { min: 0, max: 0 },
  run,
}

async function run({ options, roots }: CommandInput): Promise<number> {
  const all = options.flag('all')
  if (!options.flag('force') && !(await isWanted(all))) return 0
  const engine = openEngine(roots)
  await engine.sweep()
  const pruned = await pruneImages(engine, {
    all,
    filters: options.list('filter'),
    now: Date.now(),
  })
  const lines = [
    ...pruned.untagged.map((name) => `untagged: ${name}\n`),
    ...pruned.deleted.map((id) => `deleted: ${id}\n`),
  ]
  if (lines.length > 0) process.stdout.write(`Deleted Images:\n${lines.join('')}\n`)
  process.stdout.write(`Total reclaimed space: ${humanSize(pruned.bytes, 4)}\n`)
  return 0
}

async function isWanted(all: boolean): Promise<boolean> {
  if (process.stdin.isTTY !== true)
    throw new TsrunError(
      'failed-precondition',
      'cannot ask whether to remove images: there is no terminal',
      {
        hint: 'use --force',
      },
    )
  const what = all ? 'all images that no container uses' : 'all images without a name'
  return /^y(es)?$/i.test((await askText(`This removes ${what}. Go on? [y/N] `)).trim())
}
