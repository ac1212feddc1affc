/** `list` and `ps`: tables for people, JSON for callers. */
import { existsSync } from 'node:fs'
import { printable, TsrunError } from '../../errors.ts'
import { containerPids } from '../../runtime/container-pids.ts'
import { hostProcessTable } from '../../runtime/host-ps.ts'
import { loadContainer } from '../../runtime/load-container.ts'
import { listContainers } from '../../runtime/state.ts'
import { containerIdOf } from './arguments.ts'
import { NO_ARGUMENTS, type OciCommand, print } from './command.ts'

export const listCommand: OciCommand = {
  usage: '[flags]',
  description: 'list the containers of this root',
  table: { flags: { format: 'string', quiet: 'boolean' }, aliases: { f: 'format', q: 'quiet' } },
  positional: NO_ARGUMENTS,
  async run(args, { root, rootGiven, warn }) {
    if (rootGiven) requireRoot(root)
    const containers = await listContainers(root, warn)
    const format = args.string('format') ?? 'table'
    if (args.boolean('quiet')) print(containers.map(({ id }) => `${id}\n`).join(''))
    else if (format === 'json')
      print(`${JSON.stringify(containers.length === 0 ? null : containers)}\n`)
    else if (format === 'table') {
      const rows = containers.map((c) => [
        c.id,
        String(c.pid),
        c.status,
        printable(c.bundle),
        c.created,
        c.owner,
      ])
      print(table([['ID', 'PID', 'STATUS', 'BUNDLE', 'CREATED', 'OWNER'], ...rows]))
    } else throw invalidFormat(format)
    return 0
  },
}

export const psCommand: OciCommand = {
  usage: '[--format table|json] <container-id> [ps options]',
  description: 'list the processes of a container',
  table: { flags: { format: 'string' }, aliases: { f: 'format' } },
  positional: { least: 1, most: Number.POSITIVE_INFINITY },
  flagsFirst: true,
  async run(args, { root }) {
    const options = args.positional.slice(1)
    const format = args.string('format') ?? 'table'
    const record = await loadContainer(root, containerIdOf(args))
    const pids = containerPids(record)
    if (format === 'json') print(`${JSON.stringify(pids)}\n`)
    else if (format === 'table') print(hostProcessTable(pids, options))
    else throw invalidFormat(format)
    return 0
  },
}

// A root of one's own choice that is not there is a slip of the pen; the default one comes with the first container.
function requireRoot(root: string): void {
  if (existsSync(root)) return
  throw new TsrunError(
    'not-found',
    `cannot list containers: open ${root}: no such file or directory`,
    {
      hint: 'give --root the directory that the containers were made with',
    },
  )
}

function invalidFormat(format: string): TsrunError {
  return new TsrunError('invalid-argument', 'invalid format option', {
    hint: `give table or json, not ${JSON.stringify(format)}`,
  })
}

/** Columns as Go's tabwriter aligns them in runc: at least 12 wide, three spaces between. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(12, ...rows.map((row) => (row[column]?.length ?? 0) + 3)),
  )
  return rows
    .map((row) =>
      row.map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i] ?? 0))).join(''),
    )
    .map((line) => `${line}\n`)
    .join('')
}
