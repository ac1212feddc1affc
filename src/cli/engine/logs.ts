/** `tsrun logs`: what a container has written. */
import { containerLogs } from '../../engine/container-logs.ts'
import { openEngine } from '../../engine/engine.ts'
import { TsrunError } from '../../errors.ts'
import type { CommandInput, EngineCommand } from './command.ts'
import { parseMoment } from './parse-moment.ts'
import { UserTerminal } from './user-terminal.ts'

export const command: EngineCommand = {
  usage: 'logs [options] CONTAINER',
  describe: 'Print what a container has written.',
  options: {
    follow: { type: 'flag', alias: 'f', describe: 'go on until the container ends' },
    since: {
      type: 'string',
      describe: 'only from this moment on',
      value: 'RFC 3339, Unix time or 10m',
    },
    tail: { type: 'string', alias: 'n', describe: 'only the last lines', value: 'number or all' },
    timestamps: { type: 'flag', alias: 't', describe: 'with the time of each line' },
    until: {
      type: 'string',
      describe: 'only up to this moment',
      value: 'RFC 3339, Unix time or 10m',
    },
  },
  examples: [{ does: 'The last ten lines, and whatever follows', line: 'logs -f --tail 10 web' }],
  positionals: { min: 1, max: 1 },
  run,
}

async function run({ options, positionals, roots }: CommandInput): Promise<number> {
  const engine = openEngine(roots)
  await engine.sweep()
  const id = engine.containers.find(positionals[0] ?? '')
  const now = Date.now()
  const aborted = new AbortController()
  using terminal = new UserTerminal({ tty: false, interactive: false, detachKeys: Buffer.alloc(0) })
  terminal.left.then(
    () => aborted.abort(),
    () => aborted.abort(),
  )
  const pieces = containerLogs(engine.containers, id, {
    follow: options.flag('follow'),
    tail: parseTail(options.string('tail')),
    since: parseMoment('since', options.string('since'), now),
    until: parseMoment('until', options.string('until'), now),
    signal: aborted.signal,
  })
  const stamps = options.flag('timestamps')
  const begins = { stdout: true, stderr: true }
  for await (const { stream, time, text, partial } of pieces) {
    if (aborted.signal.aborted) break
    const stamped = stamps && begins[stream] ? Buffer.concat([Buffer.from(`${time} `), text]) : text
    begins[stream] = !partial
    await write(stream, stamped)
  }
  return 0
}

// Waits for a slow reader: a log can be larger than the memory.
async function write(stream: 'stdout' | 'stderr', bytes: Uint8Array): Promise<void> {
  const target = stream === 'stdout' ? process.stdout : process.stderr
  if (target.write(bytes)) return
  await new Promise<void>((resolve) => {
    target.once('drain', resolve)
    target.once('close', resolve)
  })
}

function parseTail(text: string | undefined): number | undefined {
  if (text === undefined || text === 'all' || text === '-1') return undefined
  if (/^\d{1,15}$/.test(text)) return Number(text)
  throw new TsrunError(
    'invalid-argument',
    `cannot use --tail "${text}": it must be a number or all`,
  )
}
