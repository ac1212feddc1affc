/** `tsrun container prune`: removes containers that do not run. */
import { openEngine } from '../../engine/engine.ts'
import { parsePruneFilters, pruneContainers } from '../../engine/prune.ts'
import { humanSize } from '../../util/size.ts'
import type { CommandInput, EngineCommand } from './command.ts'
import { confirm } from './confirm.ts'
import { parseMoment } from './parse-moment.ts'

export const command: EngineCommand = {
  usage: 'container prune [options]',
  describe: 'Remove all containers that do not run.',
  options: {
    filter: {
      type: 'list',
      describe: 'until=TIME, label=KEY[=VALUE], label!=KEY[=VALUE]',
      value: 'key=value',
    },
    force: { type: 'flag', alias: 'f', describe: 'do not ask' },
  },
  examples: [{ does: 'What is older than a day', line: 'container prune -f --filter until=24h' }],
  positionals: { min: 0, max: 0 },
  run,
}

async function run({ options, roots }: CommandInput): Promise<number> {
  const filters = parsePruneFilters(options.list('filter'), (text) =>
    parseMoment('filter until', text, Date.now()),
  )
  const question = 'WARNING! This will remove all stopped containers.'
  if (!options.flag('force') && !confirm(question, 'container prune')) return 0
  const engine = openEngine(roots)
  await engine.sweep()
  const { removed, bytes } = await pruneContainers(engine, filters)
  const list = removed.length === 0 ? '' : `Deleted Containers:\n${removed.join('\n')}\n\n`
  process.stdout.write(`${list}Total reclaimed space: ${humanSize(bytes)}\n`)
  return 0
}
