/** `events`: one JSON document a line. */
import { TsrunError } from '../../errors.ts'
import { containerStats, followEvents } from '../../runtime/events.ts'
import { parseDuration } from '../../util/duration.ts'
import { stringifyExact } from '../../util/exact-json.ts'
import { containerIdOf, type ParsedArguments } from './arguments.ts'
import { type OciCommand, ONE_ID, print } from './command.ts'

const DEFAULT_INTERVAL = '5s'
const MAX_INTERVAL_MS = 2 ** 31 - 1 // setInterval() takes no more

export const eventsCommand: OciCommand = {
  usage: '[--stats] [--interval duration] <container-id>',
  description: 'print the usage of a container every few seconds, and when memory ran out',
  table: { flags: { interval: 'string', stats: 'boolean' } },
  positional: ONE_ID,
  async run(args, { root, warn }) {
    const id = containerIdOf(args)
    const intervalMs = intervalOf(args)
    const emit = (event: object): void => print(`${stringifyExact(event)}\n`)
    if (args.boolean('stats')) emit(await containerStats(root, id))
    else await followEvents(root, { id, intervalMs, emit, warn })
    return 0
  },
}

function intervalOf(args: ParsedArguments): number {
  const text = args.string('interval') ?? DEFAULT_INTERVAL
  const interval = parseDuration(text)
  if (interval === undefined) {
    throw new TsrunError(
      'invalid-argument',
      `invalid value ${JSON.stringify(text)} for flag -interval: parse error`,
      { hint: 'give a duration such as 5s or 500ms' },
    )
  }
  if (interval <= 0)
    throw new TsrunError('invalid-argument', 'duration interval must be greater than 0')
  return Math.min(interval, MAX_INTERVAL_MS)
}
