/** `tsrun start`: containers that are there run once more, in the background or attached. */
import { attachContainer } from '../../engine/attach-container.ts'
import { isLive } from '../../engine/container-status.ts'
import { type Engine, openEngine } from '../../engine/engine.ts'
import { chooseContainers, everyContainer } from '../../engine/list-containers.ts'
import { startContainer } from '../../engine/start-container.ts'
import { TsrunError } from '../../errors.ts'
import { type ForegroundSignals, inForeground } from '../foreground-signals.ts'
import type { CommandInput, CommandOptions, EngineCommand } from './command.ts'
import { DEFAULT_DETACH_KEYS, parseDetachKeys } from './detach-keys.ts'
import { forEachContainer } from './each-container.ts'
import { followContainer } from './follow-container.ts'
import { FORWARDED, forwardSignal } from './forward-signal.ts'
import { requireTerminal, UserTerminal } from './user-terminal.ts'
import { warn, warnOfMissed } from './warn.ts'

export const command: EngineCommand = {
  usage: 'start [options] [CONTAINER...]',
  describe: 'Start containers that were created before or have ended.',
  options: {
    all: { type: 'flag', describe: 'all that do not run' },
    attach: { type: 'flag', alias: 'a', describe: 'stay with it: its output and its signals' },
    'detach-keys': {
      type: 'string',
      describe: 'keys that leave the container',
      value: 'ctrl-p,ctrl-q',
    },
    filter: {
      type: 'list',
      alias: 'f',
      describe: 'only matching ones of those that do not run',
      value: 'key=value',
    },
    interactive: { type: 'flag', alias: 'i', describe: 'stay with it and be its stdin' },
    'sig-proxy': { type: 'flag', describe: 'with --attach: pass signals on (default)' },
  },
  examples: [
    { does: 'Start two in the background', line: 'start web db' },
    { does: 'Start one and stay with it', line: 'start -ai shell' },
    {
      does: 'When the machine has booted: those that are to run always',
      line: 'start --all --filter should-start-on-boot=true',
    },
  ],
  positionals: { min: 0, max: Number.POSITIVE_INFINITY },
  run,
}

async function run({ options, positionals, roots }: CommandInput): Promise<number> {
  const engine = openEngine(roots)
  await engine.sweep()
  if (options.flag('attach') || options.flag('interactive')) {
    const [name = '', second] = positionals
    if (second !== undefined)
      throw new TsrunError(
        'invalid-argument',
        'cannot start and attach multiple containers at once',
        { hint: 'start them without -a and -i, or one at a time' },
      )
    return await inForeground(FORWARDED, (signals) =>
      startAttached(engine, engine.containers.find(name), options, signals),
    )
  }
  return await forEachContainer(chosen(engine, options, positionals), async (name) => {
    await startContainer(engine, engine.containers.find(name), { warn })
    return name
  })
}

function chosen(
  engine: Engine,
  options: CommandOptions,
  positionals: readonly string[],
): readonly string[] {
  const filters = options.list('filter')
  const wantsAll = options.flag('all') || filters.length > 0
  if (wantsAll && positionals.length > 0)
    throw new TsrunError(
      'invalid-argument',
      'cannot start containers by name together with --all or --filter',
    )
  if (!wantsAll && positionals.length === 0)
    throw new TsrunError('invalid-argument', 'cannot start: no container is named', {
      hint: 'name containers, or use --all or --filter',
    })
  if (!wantsAll) return positionals
  const ended = everyContainer(engine).filter(({ status }) => !isLive(status))
  return chooseContainers(ended, { all: true, filters }).map(({ record }) => record.name)
}

async function startAttached(
  engine: Engine,
  id: string,
  options: CommandOptions,
  signals: ForegroundSignals,
): Promise<number> {
  const record = engine.containers.read(id)
  const tty = record?.terminal === true
  const interactive = options.flag('interactive') && record?.openStdin === true
  requireTerminal(tty, interactive)
  const detachKeys = parseDetachKeys(options.string('detach-keys') ?? DEFAULT_DETACH_KEYS)
  using terminal = new UserTerminal({ tty, interactive, detachKeys })
  const started = await startContainer(engine, id, {
    warn,
    signal: signals.stop,
    ready: signals.begin,
    foreground: {
      onOutput: terminal.write,
      onAttached: (client) => terminal.connect(client),
    },
  })
  if (options.flag('sig-proxy', true)) signals.deliver((name) => forwardSignal(engine, id, name))
  else signals.release()
  if (started !== undefined) return await followContainer(engine, started, terminal, signals)
  // It runs already: then this is `attach`.
  const client = await attachContainer(engine, id, {
    onOutput: terminal.write,
    onSkipped: (bytes) => warnOfMissed(record?.name ?? id, bytes),
  })
  terminal.connect(client)
  return await followContainer(engine, { id, name: record?.name ?? '', client }, terminal, signals)
}
