/** `tsrun volume prune`: removes volumes that no container uses. */
import { openEngine } from '../../../engine/engine.ts'
import { pruneVolumes } from '../../../engine/volumes/remove-volume.ts'
import { humanSize } from '../../../util/size.ts'
import type { CommandInput, EngineCommand } from '../command.ts'
import { confirm } from '../confirm.ts'

export const command: EngineCommand = {
  usage: 'volume prune [options]',
  describe: 'Remove the anonymous volumes that no container uses.',
  options: {
    all: { type: 'flag', alias: 'a', describe: 'those with a name too' },
    filter: {
      type: 'list',
      describe: 'only matching ones: by label or label!',
      value: 'key=value',
    },
    force: { type: 'flag', alias: 'f', describe: 'do not ask' },
  },
  examples: [
    { does: 'Every volume without containers, unasked', line: 'volume prune --all --force' },
  ],
  positionals: { min: 0, max: 0 },
  run,
}

async function run({ options, roots }: CommandInput): Promise<number> {
  const engine = openEngine(roots)
  await engine.sweep()
  const all = options.flag('all')
  const what = all ? 'all volumes' : 'all anonymous volumes'
  const question = `WARNING! This will remove ${what} not used by at least one container.`
  if (!options.flag('force') && !confirm(question, 'volume prune')) return 0
  const { names, reclaimed } = await pruneVolumes(engine, { all, filters: options.list('filter') })
  const list = names.length === 0 ? '' : `Deleted Volumes:\n${names.join('\n')}\n\n`
  process.stdout.write(`${list}Total reclaimed space: ${humanSize(reclaimed)}\n`)
  return 0
}
