/** `tsrun attach`: the terminal of a running container, once more. */
import { attachContainer } from '../../engine/attach-container.ts'
import { openEngine } from '../../engine/engine.ts'
import { exitCodeOfStatus, waitForExit } from '../../engine/wait-container.ts'
import { ForegroundSignals } from '../foreground-signals.ts'
import type { CommandInput, EngineCommand } from './command.ts'
import { DEFAULT_DETACH_KEYS, parseDetachKeys } from './detach-keys.ts'
import { FORWARDED, forwardSignal } from './forward-signal.ts'
import { requireTerminal, UserTerminal } from './user-terminal.ts'
import { warnOfMissed } from './warn.ts'

const EXIT_BROKEN_PIPE = 141

export const command: EngineCommand = {
  usage: 'attach [options] CONTAINER',
  describe: 'Connect to the streams of a running container.',
  options: {
    'detach-keys': { type: 'string', describe: 'keys that leave it', value: 'ctrl-p,ctrl-q' },
    'no-stdin': { type: 'flag', describe: 'only look' },
    'sig-proxy': { type: 'flag', describe: 'pass signals on to the container (default)' },
  },
  examples: [
    { does: 'Look at what web writes, without typing into it', line: 'attach --no-stdin web' },
  ],
  positionals: { min: 1, max: 1 },
  run,
}

async function run({ options, positionals, roots }: CommandInput): Promise<number> {
  const engine = openEngine(roots)
  await engine.sweep()
  const id = engine.containers.find(positionals[0] ?? '')
  const { terminal: tty, openStdin } = engine.containers.read(id) ?? {
    terminal: false,
    openStdin: false,
  }
  const interactive = openStdin && !options.flag('no-stdin')
  requireTerminal(tty, interactive)
  using terminal = new UserTerminal({
    tty,
    interactive,
    detachKeys: parseDetachKeys(options.string('detach-keys') ?? DEFAULT_DETACH_KEYS),
  })
  using signals = new ForegroundSignals(options.flag('sig-proxy', true) ? FORWARDED : [])
  signals.deliver((name) => forwardSignal(engine, id, name))
  using client = await attachContainer(engine, id, {
    onOutput: terminal.write,
    onSkipped: (bytes) => warnOfMissed(positionals[0] ?? '', bytes),
  })
  terminal.connect(client)
  const end = await Promise.race([client.exit, terminal.left])
  if (end === 'detached') return 0
  if (end === 'broken-pipe') return EXIT_BROKEN_PIPE
  signals[Symbol.dispose]()
  terminal[Symbol.dispose]()
  await terminal.flush()
  return end === undefined ? await waitForExit(engine.containers, id) : exitCodeOfStatus(end)
}
