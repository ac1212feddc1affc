/** `tsrun secret ls`: the secrets there are. */
import { openEngine } from '../../../engine/engine.ts'
import { type Secret, SecretStore } from '../../../engine/secrets/secret-store.ts'
import { formatRows, type Row, type RowFormat, timeAgo } from '../../output.ts'
import type { CommandInput, EngineCommand } from '../command.ts'
import { print } from '../print.ts'

const FORMAT: RowFormat = {
  columns: { ID: 'ID', Name: 'NAME', Driver: 'DRIVER', CreatedAt: 'CREATED', UpdatedAt: 'UPDATED' },
  table: ['ID', 'Name', 'Driver', 'CreatedAt', 'UpdatedAt'],
  key: 'ID',
}

export const command: EngineCommand = {
  usage: 'secret ls [options]',
  describe: 'List secrets.',
  options: {
    format: { type: 'string', describe: 'table, json or a Go template', value: 'text' },
    quiet: { type: 'flag', alias: 'q', describe: 'only ids' },
  },
  examples: [{ does: 'Their names', line: 'secret ls --format "{{.Name}}"' }],
  positionals: { min: 0, max: 0 },
  run,
}

async function run({ options, roots }: CommandInput): Promise<number> {
  const engine = openEngine(roots)
  await engine.sweep()
  const rows = new SecretStore(engine.dataRoot).all().map(rowOf)
  const [format, quiet] = [options.string('format'), options.flag('quiet')]
  print(formatRows(rows, FORMAT, { format, quiet }))
  return 0
}

function rowOf({ id, name, createdAt }: Secret): Row {
  const age = timeAgo(createdAt, Date.now())
  return { ID: id, Name: name, Driver: 'file', CreatedAt: age, UpdatedAt: age }
}
