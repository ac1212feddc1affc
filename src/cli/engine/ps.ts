/** `tsrun ps`: the containers there are. */
import { ContainerSizes } from '../../engine/container-sizes.ts'
import { type Engine, openEngine } from '../../engine/engine.ts'
import {
  chooseContainers,
  everyContainer,
  type ListedContainer,
} from '../../engine/list-containers.ts'
import { portsColumn } from '../../engine/networks/endpoints.ts'
import { humanDuration } from '../../util/duration.ts'
import { humanSize } from '../../util/size.ts'
import { formatRows, type Row, type RowFormat, timeAgo } from '../output.ts'
import type { CommandInput, EngineCommand } from './command.ts'
import { print } from './print.ts'

const FORMAT: RowFormat = {
  columns: {
    ID: 'CONTAINER ID',
    Image: 'IMAGE',
    Command: 'COMMAND',
    CreatedAt: 'CREATED AT',
    RunningFor: 'CREATED',
    Status: 'STATUS',
    State: 'STATE',
    Ports: 'PORTS',
    Names: 'NAMES',
    Labels: 'LABELS',
    Mounts: 'MOUNTS',
    Networks: 'NETWORKS',
    Pid: 'PID',
    Size: 'SIZE',
    LocalVolumes: 'LOCAL VOLUMES',
    Platform: 'PLATFORM',
  },
  table: ['ID', 'Image', 'Command', 'RunningFor', 'Status', 'Ports', 'Names'],
  key: 'ID',
}

export const command: EngineCommand = {
  usage: 'ps [options]',
  describe: 'List containers.',
  options: {
    all: { type: 'flag', alias: 'a', describe: 'also those that do not run' },
    filter: { type: 'list', alias: 'f', describe: 'only matching containers', value: 'key=value' },
    format: { type: 'string', describe: 'table, json or a Go template', value: 'text' },
    last: {
      type: 'string',
      alias: 'n',
      describe: 'only the last created, running or not',
      value: 'number',
    },
    latest: { type: 'flag', alias: 'l', describe: 'only the last created one, running or not' },
    'no-trunc': { type: 'flag', describe: 'do not shorten ids and commands' },
    quiet: { type: 'flag', alias: 'q', describe: 'only ids' },
    size: { type: 'flag', alias: 's', describe: 'how much each has written, and with its image' },
  },
  examples: [
    { does: 'Also those that have ended', line: 'ps -a' },
    {
      does: 'Names and states of all containers with a label',
      line: 'ps -a --filter label=app=shop --format "{{.Names}}: {{.Status}}"',
    },
  ],
  positionals: { min: 0, max: 0 },
  run,
}

async function run({ options, roots }: CommandInput): Promise<number> {
  const engine = openEngine(roots)
  await engine.sweep()
  const all = await containersOf(engine)
  const last = options.flag('latest') ? 1 : options.integer('last', 1)
  const containers = chooseContainers(all, {
    all: options.flag('all'),
    filters: options.list('filter'),
    ...(last === undefined ? {} : { last }),
  })
  const now = Date.now()
  const full = options.flag('no-trunc')
  const isSized = options.flag('size')
  const sizes = isSized ? new ContainerSizes(engine) : undefined
  const rows = containers.map((container) => rowOf(container, { now, full, sizes }))
  const format = isSized ? { ...FORMAT, table: [...FORMAT.table, 'Size'] } : FORMAT
  print(
    formatRows(rows, format, { format: options.string('format'), quiet: options.flag('quiet') }),
  )
  return 0
}

function rowOf(
  container: ListedContainer,
  { now, full, sizes }: { now: number; full: boolean; sizes: ContainerSizes | undefined },
): Row {
  const { record, status, endpoints } = container
  const words = [...record.entrypoint, ...record.command].join(' ')
  return {
    ID: full ? record.id : record.id.slice(0, 12),
    Image: record.image?.reference ?? record.rootfs ?? '',
    Command: JSON.stringify(full ? words : shorten(words, 20)),
    CreatedAt: goTime(record.createdAt),
    RunningFor: timeAgo(record.createdAt, now),
    Status: describeStatus(container, now),
    State: status.status,
    Ports: portsColumn(record, endpoints),
    Names: record.name,
    Labels: Object.entries(record.labels)
      .map(([key, value]) => `${key}=${value}`)
      .join(','),
    Mounts: record.volumes
      .map(({ name, source, destination }) => name ?? (source || destination))
      .join(','),
    Networks:
      record.networks === undefined
        ? record.networkMode
        : endpoints.map(({ name }) => name).join(','),
    LocalVolumes: String(record.volumes.filter(({ name }) => name !== undefined).length),
    Platform: record.request.platform ?? '',
    Size: sizes === undefined ? '0B' : describeSize(sizes.of(record)),
    Pid: status.pid,
    Label: (name: unknown) =>
      Object.hasOwn(record.labels, String(name)) ? record.labels[String(name)] : '',
  }
}

function describeSize({ written, whole }: { written: number; whole: number }): string {
  return `${humanSize(written, 3)} (virtual ${humanSize(whole, 3)})`
}

/** As Go prints a time, which is what docker shows. */
function goTime(time: string): string {
  return `${time.slice(0, 10)} ${time.slice(11, 19)} +0000 UTC`
}

function describeStatus(container: ListedContainer, now: number): string {
  const { status } = container
  const since = humanDuration(now - Date.parse(status.startedAt ?? ''))
  switch (status.status) {
    case 'creating':
    case 'created':
      return 'Created'
    case 'running':
      return `Up ${since}${noteOn(container)}`
    case 'paused':
      return `Up ${since} (Paused)`
    case 'restarting':
      return `Restarting (${status.exitCode}) ${timeAgo(status.finishedAt ?? '', now)}`
    case 'exited': {
      const ago = status.finishedAt === undefined ? '' : ` ${timeAgo(status.finishedAt, now)}`
      return `Exited (${status.exitCode})${ago}`
    }
  }
}

// As docker words it; a container without its monitor is ours alone.
function noteOn({ record, status }: ListedContainer): string {
  if (status.unwatched) return ' (its monitor was killed)'
  if (record.health === undefined || status.health === 'none') return ''
  return status.health === 'starting' ? ' (health: starting)' : ` (${status.health})`
}

function shorten(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`
}

// A monitor that was killed could not start the clean-up; its container's cgroup is still there.
async function containersOf(engine: Engine): Promise<ListedContainer[]> {
  const all = everyContainer(engine)
  if (!all.some(({ status }) => status.needsCleanup)) return all
  const { cleanUpEnded } = await import('../../engine/remove-container.ts')
  await cleanUpEnded(engine)
  return everyContainer(engine)
}
