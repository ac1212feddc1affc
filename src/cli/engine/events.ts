/** `tsrun events`: what happens to containers and images, from now on or from a moment on. */
import { openEngine } from '../../engine/engine.ts'
import { formatEvent, toDockerEvent } from '../../engine/events/event.ts'
import { eventFilter } from '../../engine/events/filter-events.ts'
import { readEvents } from '../../engine/events/read-events.ts'
import { printable } from '../../errors.ts'
import { formatObjects } from '../output.ts'
import type { CommandInput, EngineCommand } from './command.ts'
import { parseMoment } from './parse-moment.ts'
import { print } from './print.ts'
import { UserTerminal } from './user-terminal.ts'

export const command: EngineCommand = {
  usage: 'events [options]',
  describe: 'Show what happens to containers, images, volumes and networks as it happens.',
  options: {
    filter: {
      type: 'list',
      alias: 'f',
      describe: 'by container, event, image, label, network, scope, type or volume',
      value: 'key=value',
    },
    format: { type: 'string', describe: 'json or a Go template', value: 'text' },
    since: {
      type: 'string',
      describe: 'also what has happened from this moment on',
      value: 'RFC 3339, Unix time or 10m',
    },
    until: {
      type: 'string',
      describe: 'end at this moment',
      value: 'RFC 3339, Unix time or 10m',
    },
  },
  examples: [
    {
      does: 'Which containers have ended in the last hour',
      line: 'events --since 1h --until 0s --filter event=die',
    },
  ],
  positionals: { min: 0, max: 0 },
  run,
}

async function run({ options, roots }: CommandInput): Promise<number> {
  const passes = eventFilter(options.list('filter'))
  const format = options.string('format')
  const now = Date.now()
  const since = parseMoment('since', options.string('since'), now)
  const until = parseMoment('until', options.string('until'), now)
  const engine = openEngine(roots)
  await engine.sweep()
  const aborted = new AbortController()
  using terminal = new UserTerminal({ tty: false, interactive: false, detachKeys: Buffer.alloc(0) })
  terminal.left.then(
    () => aborted.abort(),
    () => aborted.abort(),
  )
  for await (const event of readEvents(engine.dataRoot, { since, until, signal: aborted.signal })) {
    if (!passes(event)) continue
    // A label with a newline in it must not look like another event, to programs neither.
    if (format === undefined) process.stdout.write(`${printable(formatEvent(event))}\n`)
    else print(formatObjects([toDockerEvent(event)], format === 'json' ? '{{json .}}' : format))
  }
  return 0
}
