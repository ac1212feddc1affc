/** `tsrun network ls`: the networks there are. */
import { openEngine } from '../../../engine/engine.ts'
import { type ListedNetwork, listNetworks } from '../../../engine/networks/list-networks.ts'
import { formatRows, type Row, type RowFormat } from '../../output.ts'
import type { CommandInput, EngineCommand } from '../command.ts'
import { print } from '../print.ts'

const FORMAT: RowFormat = {
  columns: {
    ID: 'NETWORK ID',
    Name: 'NAME',
    Driver: 'DRIVER',
    Scope: 'SCOPE',
    IPv6: 'IPV6',
    Internal: 'INTERNAL',
    Labels: 'LABELS',
    CreatedAt: 'CREATED AT',
  },
  table: ['ID', 'Name', 'Driver', 'Scope'],
  key: 'ID',
}

export const command: EngineCommand = {
  usage: 'network ls [options]',
  describe: 'List networks.',
  options: {
    filter: {
      type: 'list',
      alias: 'f',
      describe: 'only matching ones: by name, id, driver, label, dangling',
      value: 'key=value',
    },
    format: { type: 'string', describe: 'table, json or a Go template', value: 'text' },
    'no-trunc': { type: 'flag', describe: 'whole ids' },
    quiet: { type: 'flag', alias: 'q', describe: 'only ids' },
  },
  examples: [{ does: 'Those without running containers', line: 'network ls -f dangling=true' }],
  positionals: { min: 0, max: 0 },
  run,
}

async function run({ options, roots }: CommandInput): Promise<number> {
  const engine = openEngine(roots)
  await engine.sweep()
  const listed = listNetworks(engine, options.list('filter'))
  const rows = listed.map((one) => rowOf(one, options.flag('no-trunc')))
  print(
    formatRows(rows, FORMAT, { format: options.string('format'), quiet: options.flag('quiet') }),
  )
  return 0
}

function rowOf({ network }: ListedNetwork, whole: boolean): Row {
  const { id, name, driver, internal, labels, createdAt, subnets } = network
  return {
    ID: whole ? id : id.slice(0, 12),
    Name: name,
    Driver: driver,
    Scope: 'local',
    IPv6: String(subnets.some(({ subnet }) => subnet.includes(':'))),
    Internal: String(internal),
    Labels: Object.entries(labels)
      .map(([key, value]) => `${key}=${value}`)
      .join(','),
    CreatedAt: createdAt,
    Label: (key: unknown) => (Object.hasOwn(labels, String(key)) ? labels[String(key)] : ''),
  }
}
