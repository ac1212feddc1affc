/** `tsrun system prune`: removes what nobody uses. */
import { pruneBuilds } from '../../engine/build/prune-builds.ts'
import { type Engine, openEngine } from '../../engine/engine.ts'
import {
  type PruneFilters,
  parsePruneFilters,
  pruneContainers,
  pruneImages,
} from '../../engine/prune.ts'
import { pruneVolumes } from '../../engine/volumes/remove-volume.ts'
import { TsrunError } from '../../errors.ts'
import { humanSize } from '../../util/size.ts'
import type { CommandInput, CommandOptions, EngineCommand } from './command.ts'
import { confirm } from './confirm.ts'
import { parseMoment } from './parse-moment.ts'

export const command: EngineCommand = {
  usage: 'system prune [options]',
  describe:
    'Remove containers that do not run, images without a name, the build cache and layers that nobody needs; with -a all images without a container.',
  options: {
    all: { type: 'flag', alias: 'a', describe: 'all images that no container was made of' },
    force: { type: 'flag', alias: 'f', describe: 'do not ask' },
    volumes: { type: 'flag', describe: 'anonymous volumes that no container uses, too' },
    filter: {
      type: 'list',
      describe: 'until=TIME, label=KEY[=VALUE], label!=KEY[=VALUE]',
      value: 'key=value',
    },
  },
  examples: [
    { does: 'Whatever is older than a day', line: 'system prune -f --filter until=24h' },
    { does: 'All images that no container uses, too', line: 'system prune -a' },
  ],
  positionals: { min: 0, max: 0 },
  run,
}

async function run({ options, roots }: CommandInput): Promise<number> {
  const all = options.flag('all')
  const filters = parsePruneFilters(options.list('filter'), (text) =>
    parseMoment('filter until', text, Date.now()),
  )
  if (options.flag('volumes')) volumeFilters(options.list('filter'))
  if (!options.flag('force') && !confirm(warningOf(options), 'system prune')) return 0
  const engine = openEngine(roots)
  await engine.sweep()
  const containers = await pruneContainers(engine, filters)
  const builds = await pruneCache(engine, all, filters)
  const images = await pruneImages(engine, { all, filters })
  const volumes = options.flag('volumes')
    ? await pruneVolumes(engine, { all: false, filters: volumeFilters(options.list('filter')) })
    : { names: [], reclaimed: 0 }
  const bytes = containers.bytes + builds + images.bytes + volumes.reclaimed
  process.stdout.write(
    [
      ...section('Deleted Containers:', containers.removed),
      ...section('Deleted Volumes:', volumes.names),
      ...section('Deleted Images:', images.removed),
      `Total reclaimed space: ${humanSize(bytes)}\n`,
    ].join(''),
  )
  return 0
}

// Labels are of images and containers: where they are asked for, the cache stays.
async function pruneCache(engine: Engine, all: boolean, filters: PruneFilters): Promise<number> {
  if (filters.labels.length + filters.notLabels.length > 0) return 0
  const until = filters.until === undefined ? undefined : new Date(filters.until)
  const { bytes } = await pruneBuilds(engine, { all, until })
  return bytes
}

// Volumes have no `until`: what is old may be what is dear.
function volumeFilters(filters: readonly string[]): readonly string[] {
  const until = filters.find((filter) => filter.startsWith('until='))
  if (until === undefined) return filters
  throw new TsrunError(
    'invalid-argument',
    `cannot use the filter "${until}" together with --volumes: volumes are not chosen by age`,
    { hint: 'leave out one of them' },
  )
}

function warningOf(options: CommandOptions): string {
  const lines = [
    'all stopped containers',
    ...(options.flag('volumes')
      ? ['all anonymous volumes not used by at least one container']
      : []),
    options.flag('all')
      ? 'all images without at least one container associated to them'
      : 'all dangling images',
    'all build cache',
    'all layers and blobs that no image needs',
  ]
  return `WARNING! This will remove:\n${lines.map((line) => `  - ${line}\n`).join('')}`
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : [`${title}\n${lines.map((line) => `${line}\n`).join('')}\n`]
}
