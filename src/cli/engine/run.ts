/** `tsrun run`: a command in a new container, in the foreground or in the background. */
import type { PullProgress } from '../../engine/container-image.ts'
import { shortId } from '../../engine/container-record.ts'
import { describeLimits } from '../../engine/describe-limits.ts'
import { type Engine, openEngine } from '../../engine/engine.ts'
import { cleanUpContainer } from '../../engine/remove-container.ts'
import { type RunningContainer, runContainer } from '../../engine/run-container.ts'
import { exitCodeOfStatus, waitForExit } from '../../engine/wait-container.ts'
import { describeError, TsrunError } from '../../errors.ts'
import { type ForegroundSignals, inForeground } from '../foreground-signals.ts'
import type { CommandInput, EngineCommand } from './command.ts'
import { DEFAULT_DETACH_KEYS, parseDetachKeys } from './detach-keys.ts'
import { FORWARDED, forwardSignal } from './forward-signal.ts'
import { PullDisplay } from './pull-display.ts'
import { RUN_OPTION_GROUPS } from './run-option-groups.ts'
import { RUN_OPTIONS, runRequestOf } from './run-options.ts'
import { requireTerminal, UserTerminal, windowSize } from './user-terminal.ts'

const EXIT_BROKEN_PIPE = 141

export const command: EngineCommand = {
  usage: 'run [options] IMAGE [COMMAND] [ARG...]',
  describe: 'Run a command in a new container. It has no network unless --network host is given.',
  options: RUN_OPTIONS,
  optionGroups: RUN_OPTION_GROUPS,
  examples: [
    {
      does: 'A shell in a new container that is removed afterwards',
      line: 'run --rm -it alpine sh',
    },
    { does: 'A service in the background under a name', line: 'run -d --name web nginx' },
    {
      does: 'With a folder of the host, limits, and no network',
      line: 'run --rm -v ./data:/data:ro -m 512m --cpus 2 alpine ls /data',
    },
  ],
  positionals: { min: 1, max: Number.POSITIVE_INFINITY },
  optionsFirst: true,
  run,
}

async function run(input: CommandInput): Promise<number> {
  return await inForeground(FORWARDED, (signals) => makeAndFollow(input, signals))
}

async function makeAndFollow(
  { options, positionals, roots }: CommandInput,
  signals: ForegroundSignals,
): Promise<number> {
  const engine = openEngine(roots)
  await engine.sweep()
  const request = runRequestOf(options, positionals)
  using display = new PullDisplay(process.stderr, false)
  const common = {
    workingDirectory: process.cwd(),
    onPull: (event: PullProgress) => display.show(event),
    warn,
    signal: signals.stop,
    ready: signals.begin,
  }
  if (options.flag('detach')) {
    const { id } = await runContainer(engine, request, common)
    process.stdout.write(`${id}\n`)
    return 0
  }
  const tty = request.terminal === true
  const interactive = request.interactive === true
  requireTerminal(tty, interactive)
  const detachKeys = parseDetachKeys(options.string('detach-keys') ?? DEFAULT_DETACH_KEYS)
  using terminal = new UserTerminal({ tty, interactive, detachKeys })
  const { rows, columns } = windowSize()
  const consoleSize = tty && rows > 0 ? { height: rows, width: columns } : undefined
  const running = await runContainer(
    engine,
    { ...request, consoleSize },
    {
      ...common,
      foreground: {
        onOutput: terminal.write,
        onAttached: (client) => terminal.connect(client),
      },
    },
  )
  if (options.flag('sig-proxy', true))
    signals.deliver((name) => forwardSignal(engine, running.id, name))
  else signals.release()
  return await follow(engine, running, terminal, signals)
}

function warn(problem: unknown): void {
  process.stderr.write(`tsrun: warning: ${describeError(problem)}\n`)
}

async function follow(
  engine: Engine,
  { id, client }: RunningContainer,
  terminal: UserTerminal,
  signals: ForegroundSignals,
): Promise<number> {
  if (client === undefined) {
    throw new TsrunError('internal', 'cannot follow the container: it has no monitor')
  }
  using connection = client
  const end = await Promise.race([connection.exit, terminal.left])
  if (end === 'detached') return 0
  if (end === 'broken-pipe') return EXIT_BROKEN_PIPE
  signals[Symbol.dispose]()
  terminal[Symbol.dispose]()
  await terminal.flush()
  // Without a status the monitor was killed; the container may live on.
  if (end === undefined) return await waitForExit(engine.containers, id)
  const limits = describeLimits(await cleanUpContainer(engine, id))
  if (limits !== '') process.stderr.write(`tsrun: container ${shortId(id)}: ${limits}\n`)
  await connection.cleaned()
  return exitCodeOfStatus(end)
}
