/** `tsrun images`: the images there are. */
import { openEngine } from '../../engine/engine.ts'
import { type Image, imagesOf } from '../../engine/images.ts'
import { familiarRepository, parseReference, repositoryName } from '../../oci/reference.ts'
import { humanSize } from '../../util/size.ts'
import { formatRows, type Row, type RowFormat, timeAgo } from '../output.ts'
import type { CommandInput, EngineCommand } from './command.ts'
import { print } from './print.ts'

const FORMAT: RowFormat = {
  columns: {
    Repository: 'REPOSITORY',
    Tag: 'TAG',
    Digest: 'DIGEST',
    ID: 'IMAGE ID',
    CreatedSince: 'CREATED',
    CreatedAt: 'CREATED AT',
    Size: 'SIZE',
  },
  table: ['Repository', 'Tag', 'ID', 'CreatedSince', 'Size'],
  key: 'ID',
}

export const command: EngineCommand = {
  usage: 'images [options] [NAME]',
  describe: 'List images.',
  options: {
    digests: { type: 'flag', describe: 'show digests' },
    format: { type: 'string', describe: 'table, json or a Go template', value: 'text' },
    'no-trunc': { type: 'flag', describe: 'do not shorten ids' },
    quiet: { type: 'flag', alias: 'q', describe: 'only ids' },
  },
  examples: [
    { does: 'With their digests', line: 'images --digests' },
    { does: 'Ids of one repository', line: 'images -q alpine' },
  ],
  positionals: { min: 0, max: 1 },
  run,
}

async function run({ options, positionals, roots }: CommandInput): Promise<number> {
  const engine = openEngine(roots)
  await engine.sweep()
  const full = options.flag('no-trunc')
  const store = imagesOf(engine)
  const size = (image: Image): number =>
    image.chainIds.reduce((sum, chainId) => sum + (store.snapshots.layer(chainId)?.size ?? 0), 0)
  const rows = store
    .list()
    .toReversed()
    .flatMap((image) => rowsOf(image, { size: size(image), full, wanted: positionals[0] }))
  const format = options.flag('digests')
    ? { ...FORMAT, table: ['Repository', 'Tag', 'Digest', 'ID', 'CreatedSince', 'Size'] }
    : FORMAT
  const shown = options.flag('quiet') ? uniqueIds(rows) : rows
  print(
    formatRows(shown, format, { format: options.string('format'), quiet: options.flag('quiet') }),
  )
  return 0
}

interface RowOptions {
  readonly size: number
  readonly full: boolean
  /** A repository, or a repository with a tag. */
  readonly wanted: string | undefined
}

function rowsOf(image: Image, { size, full, wanted }: RowOptions): Row[] {
  const created = image.config.created
  const hex = image.id.replace(/^sha256:/, '')
  const base = {
    ID: full ? image.id : hex.slice(0, 12),
    Digest: image.target.digest,
    CreatedSince: created === undefined ? 'N/A' : timeAgo(created, Date.now()),
    CreatedAt: created ?? 'N/A',
    Size: humanSize(size, 3),
  }
  const names = image.names.length === 0 ? [undefined] : image.names
  return names
    .filter((name) => isWanted(name, wanted))
    .map((name) => ({ ...base, ...nameColumns(name) }))
}

function nameColumns(name: string | undefined): { Repository: string; Tag: string } {
  if (name === undefined) return { Repository: '<none>', Tag: '<none>' }
  const reference = parseReference(name)
  return { Repository: familiarRepository(reference), Tag: reference.tag ?? '<none>' }
}

function isWanted(name: string | undefined, wanted: string | undefined): boolean {
  if (wanted === undefined) return true
  if (name === undefined) return false
  const [own, asked] = [parseReference(name), parseReference(wanted)]
  const hasTag = wanted.includes('@') || wanted.lastIndexOf(':') > wanted.lastIndexOf('/')
  return repositoryName(own) === repositoryName(asked) && (!hasTag || own.tag === asked.tag)
}

function uniqueIds(rows: readonly Row[]): Row[] {
  return [...new Map(rows.map((row) => [row.ID, row])).values()]
}
