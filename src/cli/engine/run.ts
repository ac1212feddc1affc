/** `tsrun run`: a command in a new container, in the foreground or in the background. */
import type { PullProgress } from '../../engine/container-image.ts'
import { openEngine } from '../../engine/engine.ts'
import type { StartPhase } from '../../engine/make-container.ts'
import { runContainer } from '../../engine/run-container.ts'
import { PhaseClock } from '../../util/phase-clock.ts'
import { type ForegroundSignals, inForeground } from '../foreground-signals.ts'
import { attachedStreams } from './attached-streams.ts'
import { CidFile } from './cid-file.ts'
import type { CommandInput, EngineCommand, OptionSpec } from './command.ts'
import { DEFAULT_DETACH_KEYS, parseDetachKeys } from './detach-keys.ts'
import { followContainer } from './follow-container.ts'
import { FORWARDED, forwardSignal } from './forward-signal.ts'
import { PullDisplay } from './pull-display.ts'
import { RUN_OPTION_GROUPS } from './run-option-groups.ts'
import { RUN_OPTIONS, runRequestOf } from './run-options.ts'
import { requireTerminal, UserTerminal, windowSize } from './user-terminal.ts'
import { warn } from './warn.ts'

const TIMINGS: OptionSpec = {
  type: 'flag',
  describe: 'say on standard error how long each phase of the start took',
}

export const command: EngineCommand = {
  usage: 'run [options] IMAGE [COMMAND] [ARG...]',
  describe:
    'Run a command in a new container. It is in the network bridge unless --network is given.',
  options: { ...RUN_OPTIONS, timings: TIMINGS },
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
  using display = new PullDisplay(process.stderr, options.flag('quiet'))
  const attached = attachedStreams(options)
  using cidFile = new CidFile(options.string('cidfile'))
  const clock = options.flag('timings') ? new PhaseClock(() => performance.now()) : undefined
  const common = {
    workingDirectory: process.cwd(),
    onPull: (event: PullProgress) => display.show(event),
    warn,
    signal: signals.stop,
    ready: signals.begin,
    onPhase: clock === undefined ? undefined : (phase: StartPhase) => clock.begin(phase),
  }
  if (options.flag('detach')) {
    const { id } = await runContainer(engine, request, common)
    cidFile.write(id)
    process.stdout.write(`${id}\n`)
    tellTimings(clock)
    return 0
  }
  const tty = request.terminal === true
  const interactive = request.interactive === true && attached.has('stdin')
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
        onOutput: (stream, bytes) => {
          if (attached.has(stream)) terminal.write(stream, bytes)
        },
        onAttached: (client) => terminal.connect(client),
      },
    },
  )
  cidFile.write(running.id)
  tellTimings(clock)
  if (options.flag('sig-proxy', true))
    signals.deliver((name) => forwardSignal(engine, running.id, name))
  else signals.release()
  return await followContainer(engine, running, terminal, signals)
}

function tellTimings(clock: PhaseClock | undefined): void {
  if (clock !== undefined) process.stderr.write(clock.report())
}
