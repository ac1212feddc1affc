/** `tsrun volume ls`: the volumes there are. */
import { openEngine } from '../../../engine/engine.ts'
import {
  chooseVolumes,
  everyVolume,
  type ListedVolume,
} from '../../../engine/volumes/list-volumes.ts'
import { formatRows, type Row, type RowFormat } from '../../output.ts'
import type { CommandInput, EngineCommand } from '../command.ts'
import { print } from '../print.ts'

const FORMAT: RowFormat = {
  columns: {
    Driver: 'DRIVER',
    Name: 'VOLUME NAME',
    Scope: 'SCOPE',
    Mountpoint: 'MOUNTPOINT',
    Labels: 'LABELS',
    Links: 'LINKS',
    Size: 'SIZE',
    CreatedAt: 'CREATED AT',
  },
  table: ['Driver', 'Name'],
  key: 'Name',
}

export const command: EngineCommand = {
  usage: 'volume ls [options]',
  describe: 'List volumes.',
  options: {
    filter: {
      type: 'list',
      alias: 'f',
      describe: 'only matching ones: by name, label, label!, driver, dangling, anonymous',
      value: 'key=value',
    },
    format: { type: 'string', describe: 'table, json or a Go template', value: 'text' },
    quiet: { type: 'flag', alias: 'q', describe: 'only names' },
  },
  examples: [
    { does: 'Those that no container uses', line: 'volume ls --filter dangling=true' },
    { does: 'Names and labels', line: 'volume ls --format "{{.Name}}: {{.Labels}}"' },
  ],
  positionals: { min: 0, max: 0 },
  run,
}

async function run({ options, roots }: CommandInput): Promise<number> {
  const engine = openEngine(roots)
  await engine.sweep()
  const chosen = chooseVolumes(everyVolume(engine), options.list('filter'))
  const rows = chosen.map((listed) => rowOf(listed, engine.volumes.dataFolder(listed.volume.name)))
  print(
    formatRows(rows, FORMAT, { format: options.string('format'), quiet: options.flag('quiet') }),
  )
  return 0
}

function rowOf({ volume, users }: ListedVolume, mountpoint: string): Row {
  const { name, driver, labels, createdAt } = volume
  return {
    Driver: driver,
    Name: name,
    Scope: 'local',
    Mountpoint: mountpoint,
    Labels: Object.entries(labels)
      .map(([key, value]) => `${key}=${value}`)
      .join(','),
    // docker counts and measures in `system df` alone, and shows N/A here.
    Links: users.length,
    Size: 'N/A',
    CreatedAt: createdAt,
    Label: (key: unknown) => (Object.hasOwn(labels, String(key)) ? labels[String(key)] : ''),
  }
}
