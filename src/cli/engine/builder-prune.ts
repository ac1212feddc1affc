/** `tsrun builder prune`: removes what builds have kept. */
import { pruneBuilds } from '../../engine/build/prune-builds.ts'
import { openEngine } from '../../engine/engine.ts'
import { TsrunError } from '../../errors.ts'
import { humanSize } from '../../util/size.ts'
import type { CommandInput, EngineCommand } from './command.ts'
import { confirm } from './confirm.ts'
import { parseMoment } from './parse-moment.ts'

export const command: EngineCommand = {
  usage: 'builder prune [options]',
  describe:
    'Remove the steps that builds have kept, and layers that only they need; with -a the folders of cache mounts, too.',
  options: {
    all: { type: 'flag', alias: 'a', describe: 'what RUN --mount=type=cache keeps, too' },
    force: { type: 'flag', alias: 'f', describe: 'do not ask' },
    filter: { type: 'list', describe: 'until=TIME of the last use', value: 'key=value' },
  },
  examples: [
    { does: 'What was not used for a week', line: 'builder prune -f --filter until=168h' },
  ],
  positionals: { min: 0, max: 0 },
  run,
}

async function run({ options, roots }: CommandInput): Promise<number> {
  const all = options.flag('all')
  const until = untilOf(options.list('filter'))
  const what = all ? 'the build cache and all cache mounts' : 'the build cache'
  if (!options.flag('force') && !confirm(`WARNING! This will remove ${what}.\n`, 'builder prune'))
    return 0
  const engine = openEngine(roots)
  await engine.sweep()
  const { removed, bytes } = await pruneBuilds(engine, { all, until })
  const lines = removed.map((key) => `${key.slice(0, 12)}\n`).join('')
  process.stdout.write(`${lines}Total reclaimed space: ${humanSize(bytes, 4)}\n`)
  return 0
}

function untilOf(filters: readonly string[]): Date | undefined {
  const other = filters.find((filter) => !filter.startsWith('until='))
  if (other !== undefined)
    throw new TsrunError(
      'invalid-argument',
      `cannot use the filter "${other}": the filter of builder prune is until=TIME`,
    )
  const moment = parseMoment('filter until', filters.at(-1)?.slice('until='.length), Date.now())
  return moment === undefined ? undefined : new Date(moment)
}
