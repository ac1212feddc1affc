/** `tsrun history`: the steps an image was made by. */
import { openEngine } from '../../engine/engine.ts'
import { type HistoryStep, historyOf } from '../../engine/image-history.ts'
import { imagesOf } from '../../engine/images.ts'
import { humanSize } from '../../util/size.ts'
import { formatRows, type Row, type RowFormat, timeAgo } from '../output.ts'
import type { CommandInput, EngineCommand } from './command.ts'
import { print } from './print.ts'

const FORMAT: RowFormat = {
  columns: {
    ID: 'IMAGE',
    CreatedSince: 'CREATED',
    CreatedAt: 'CREATED AT',
    CreatedBy: 'CREATED BY',
    Size: 'SIZE',
    Comment: 'COMMENT',
  },
  table: ['ID', 'CreatedSince', 'CreatedBy', 'Size', 'Comment'],
  key: 'ID',
}
const CREATED_BY_WIDTH = 45

export const command: EngineCommand = {
  usage: 'history [options] IMAGE',
  describe: 'Show the steps an image was made by, newest first.',
  options: {
    format: { type: 'string', describe: 'table, json or a Go template', value: 'text' },
    human: {
      type: 'flag',
      alias: 'H',
      describe: 'sizes and times for people (default); false: exact',
    },
    'no-trunc': { type: 'flag', describe: 'do not shorten ids and commands' },
    quiet: { type: 'flag', alias: 'q', describe: 'only ids' },
  },
  examples: [{ does: 'Every command in full', line: 'history --no-trunc alpine' }],
  positionals: { min: 1, max: 1 },
  run,
}

async function run({ options, positionals, roots }: CommandInput): Promise<number> {
  const engine = openEngine(roots)
  const store = imagesOf(engine)
  const image = store.resolve(positionals[0] ?? '')
  const full = options.flag('no-trunc')
  const human = options.flag('human', true)
  const id = full ? image.id : image.id.replace(/^sha256:/, '').slice(0, 12)
  // As docker since it has no images between layers: the image's own id stands for its last step.
  const rows = historyOf(store, image).map((step, i) =>
    rowOf(step, { id: i === 0 ? id : '<missing>', full, human }),
  )
  const quiet = options.flag('quiet')
  print(formatRows(rows, FORMAT, { format: options.string('format'), quiet }))
  return 0
}

function rowOf(
  { created, createdBy, comment, size }: HistoryStep,
  { id, full, human }: { readonly id: string; readonly full: boolean; readonly human: boolean },
): Row {
  const words = createdBy.replace(/\s+/g, ' ')
  return {
    ID: id,
    CreatedSince: created === undefined ? 'N/A' : human ? timeAgo(created, Date.now()) : created,
    CreatedAt: created ?? 'N/A',
    CreatedBy:
      full || words.length <= CREATED_BY_WIDTH ? words : `${words.slice(0, CREATED_BY_WIDTH - 1)}…`,
    Size: human ? humanSize(size, 3) : String(size),
    Comment: comment,
  }
}
