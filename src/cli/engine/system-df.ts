/** `tsrun system df`: what takes space. */
import {
  type ContainerUsageOnDisk,
  type DiskUsage,
  diskUsage,
  type ImageUsage,
  type Total,
  type VolumeUsage,
} from '../../engine/disk-usage.ts'
import { openEngine } from '../../engine/engine.ts'
import { familiarRepository, parseReference } from '../../oci/reference.ts'
import { humanSize } from '../../util/size.ts'
import { formatObject, formatRows, type Row, type RowFormat, timeAgo } from '../output.ts'
import type { CommandInput, EngineCommand } from './command.ts'
import { print } from './print.ts'

const TOTALS: RowFormat = {
  columns: {
    Type: 'TYPE',
    TotalCount: 'TOTAL',
    Active: 'ACTIVE',
    Size: 'SIZE',
    Reclaimable: 'RECLAIMABLE',
  },
  table: ['Type', 'TotalCount', 'Active', 'Size', 'Reclaimable'],
  key: 'Type',
}

const IMAGES: RowFormat = {
  columns: {
    Repository: 'REPOSITORY',
    Tag: 'TAG',
    ID: 'IMAGE ID',
    CreatedSince: 'CREATED',
    Size: 'SIZE',
    SharedSize: 'SHARED SIZE',
    UniqueSize: 'UNIQUE SIZE',
    Containers: 'CONTAINERS',
  },
  table: [
    'Repository',
    'Tag',
    'ID',
    'CreatedSince',
    'Size',
    'SharedSize',
    'UniqueSize',
    'Containers',
  ],
  key: 'ID',
}

const CONTAINERS: RowFormat = {
  columns: {
    ID: 'CONTAINER ID',
    Image: 'IMAGE',
    Command: 'COMMAND',
    LocalVolumes: 'LOCAL VOLUMES',
    Size: 'SIZE',
    RunningFor: 'CREATED',
    State: 'STATUS',
    Names: 'NAMES',
  },
  table: ['ID', 'Image', 'Command', 'LocalVolumes', 'Size', 'RunningFor', 'State', 'Names'],
  key: 'ID',
}

const VOLUMES: RowFormat = {
  columns: { Name: 'VOLUME NAME', Links: 'LINKS', Size: 'SIZE' },
  table: ['Name', 'Links', 'Size'],
  key: 'Name',
}

export const command: EngineCommand = {
  usage: 'system df [options]',
  describe:
    'Show what images, containers, volumes and the build cache take on the disk, and what of it can be had back. Images count with their blobs, which push and save need, beside their unpacked layers.',
  options: {
    verbose: { type: 'flag', alias: 'v', describe: 'each image, container and volume' },
    format: { type: 'string', describe: 'table, json or a Go template', value: 'text' },
  },
  examples: [
    { does: 'The sums', line: 'system df' },
    { does: 'What each image takes', line: 'system df -v' },
  ],
  positionals: { min: 0, max: 0 },
  run,
}

async function run({ options, roots }: CommandInput): Promise<number> {
  const engine = openEngine(roots)
  await engine.sweep()
  const usage = diskUsage(engine)
  const format = options.string('format')
  if (!options.flag('verbose')) print(formatRows(totalRows(usage), TOTALS, { format }))
  else if (format === undefined || format === 'table') print(verboseText(usage))
  else print(formatObject(verboseObject(usage, true), format))
  return 0
}

function totalRows(usage: DiskUsage): Row[] {
  const { imageTotal, containerTotal, volumeTotal, cacheTotal } = usage
  return [
    totalRow('Images', imageTotal),
    totalRow('Containers', containerTotal),
    totalRow('Local Volumes', volumeTotal),
    totalRow('Build Cache', cacheTotal),
  ]
}

function totalRow(type: string, { count, active, bytes, reclaimable }: Total): Row {
  const share = bytes > 0 ? ` (${Math.floor((reclaimable / bytes) * 100)}%)` : ''
  return {
    Active: String(active),
    Reclaimable: `${humanSize(reclaimable)}${share}`,
    Size: humanSize(bytes),
    TotalCount: String(count),
    Type: type,
  }
}

function verboseText(usage: DiskUsage): string {
  const { Images, Containers, Volumes } = verboseObject(usage, false)
  return [
    'Images space usage:\n',
    formatRows(Images, IMAGES, {}),
    'Containers space usage:\n',
    formatRows(Containers, CONTAINERS, {}),
    'Local Volumes space usage:\n',
    formatRows(Volumes, VOLUMES, {}),
  ].join('\n')
}

function verboseObject({ images, containers, volumes }: DiskUsage, full: boolean) {
  const now = Date.now()
  return {
    Images: images.flatMap((usage) => imageRows(usage, now, full)),
    Containers: containers.map((usage) => containerRow(usage, now, full)),
    Volumes: volumes.map(volumeRow),
  }
}

function imageRows(
  { image, size, shared, containers }: ImageUsage,
  now: number,
  full: boolean,
): Row[] {
  const { created } = image.config
  const names = image.names.length === 0 ? [undefined] : image.names
  return names.map((name) => {
    const reference = name === undefined ? undefined : parseReference(name)
    return {
      Containers: String(containers.length),
      CreatedAt: created ?? 'N/A',
      CreatedSince: created === undefined ? 'N/A' : timeAgo(created, now),
      Digest: image.target.digest,
      ID: full ? image.id : image.id.replace(/^sha256:/, '').slice(0, 12),
      Repository: reference === undefined ? '<none>' : familiarRepository(reference),
      SharedSize: humanSize(shared),
      Size: humanSize(size, 3),
      Tag: reference?.tag ?? '<none>',
      UniqueSize: humanSize(size - shared),
    }
  })
}

function containerRow(
  { container: { record, status }, size }: ContainerUsageOnDisk,
  now: number,
  full: boolean,
): Row {
  return {
    Command: JSON.stringify([...record.entrypoint, ...record.command].join(' ')),
    CreatedAt: record.createdAt,
    ID: full ? record.id : record.id.slice(0, 12),
    Image: record.image?.reference ?? record.rootfs ?? '',
    LocalVolumes: String(record.volumes.filter(({ type }) => type === 'volume').length),
    Names: record.name,
    RunningFor: timeAgo(record.createdAt, now),
    Size: humanSize(size),
    State: status.status,
  }
}

function volumeRow({ volume, users, size }: VolumeUsage): Row {
  return {
    Driver: volume.driver,
    Labels: Object.entries(volume.labels)
      .map(([key, value]) => `${key}=${value}`)
      .join(','),
    Links: String(users.length),
    Name: volume.name,
    Scope: 'local',
    Size: humanSize(size),
  }
}
