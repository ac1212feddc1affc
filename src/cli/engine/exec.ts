/** `tsrun exec`: another command in a running container. */
import { openEngine } from '../../engine/engine.ts'
import { type ExecRequest, execProcess } from '../../engine/exec-in-container.ts'
import { ExecSession, signalExec } from '../../engine/exec-session.ts'
import { type ForegroundSignals, inForeground } from '../foreground-signals.ts'
import type { CommandInput, CommandOptions, EngineCommand } from './command.ts'
import { DEFAULT_DETACH_KEYS, parseDetachKeys } from './detach-keys.ts'
import { FORWARDED } from './forward-signal.ts'
import { environmentOf } from './run-options/environment-options.ts'
import { type ContainerStreams, requireTerminal, UserTerminal } from './user-terminal.ts'

export const command: EngineCommand = {
  usage: 'exec [options] CONTAINER COMMAND [ARG...]',
  describe: 'Run a command in a running container.',
  options: {
    detach: { type: 'flag', alias: 'd', describe: 'in the background' },
    'detach-keys': {
      type: 'string',
      describe: 'keys that leave the command',
      value: 'ctrl-p,ctrl-q',
    },
    env: { type: 'list', alias: 'e', describe: 'set a variable', value: 'NAME[=value]' },
    'env-file': { type: 'list', describe: 'set the variables of a file', value: 'path' },
    interactive: { type: 'flag', alias: 'i', describe: 'keep stdin open' },
    privileged: { type: 'flag', describe: 'with all capabilities' },
    tty: { type: 'flag', alias: 't', describe: 'give it a terminal' },
    user: { type: 'string', alias: 'u', describe: 'run as this user', value: 'user[:group]' },
    workdir: { type: 'string', alias: 'w', describe: 'run in this directory', value: 'path' },
  },
  examples: [
    { does: 'A shell in the running container web', line: 'exec -it web sh' },
    { does: 'One command as another user', line: 'exec -u nobody web id' },
  ],
  positionals: { min: 2, max: Number.POSITIVE_INFINITY },
  optionsFirst: true,
  run,
}

async function run(input: CommandInput): Promise<number> {
  return await inForeground(FORWARDED, (signals) => execute(input, signals))
}

async function execute(
  { options, positionals, roots }: CommandInput,
  signals: ForegroundSignals,
): Promise<number> {
  const engine = openEngine(roots)
  await engine.sweep()
  const [name = '', ...args] = positionals
  const id = engine.containers.find(name)
  const request = requestOf(options, args)
  const tty = request.terminal === true
  const interactive = options.flag('interactive')
  const stoppable = { signal: signals.stop, ready: signals.begin }
  if (options.flag('detach')) {
    using session = new ExecSession({ terminal: tty, input: false, output: false })
    await execProcess(engine, id, request, { ...session.streams, ...stoppable, supervise: false })
    return 0
  }
  requireTerminal(tty, interactive)
  using session = new ExecSession({ terminal: tty, input: interactive, output: true })
  const started = await execProcess(engine, id, request, {
    ...session.streams,
    ...stoppable,
    supervise: true,
  })
  signals.deliver((name) => signalExec(started.pid, name))
  const exited = started.exited ?? Promise.reject(new RangeError('the process is not supervised'))
  const detachKeys = parseDetachKeys(options.string('detach-keys') ?? DEFAULT_DETACH_KEYS)
  using terminal = new UserTerminal({
    tty,
    interactive: interactive && tty,
    detachKeys,
  })
  if (!tty) {
    // The process has our own streams: there is nothing more to pass on.
    terminal.connect(NO_STREAMS)
    return (await exited).exitCode
  }
  const master = await session.openConsole(terminal.write)
  terminal.connect(master)
  const end = await Promise.race([exited, terminal.left])
  if (typeof end === 'string') return 0
  await master.closed
  await terminal.flush()
  return end.exitCode
}

const NO_STREAMS: ContainerStreams = {
  sendInput: () => true,
  endInput: () => {},
  drained: () => {},
  resize: () => {},
  pause: () => {},
  resume: () => {},
}

function requestOf(options: CommandOptions, args: readonly string[]): ExecRequest {
  return {
    args,
    env: environmentOf(options, process.env),
    workdir: options.string('workdir'),
    user: options.string('user'),
    terminal: options.flag('tty'),
    privileged: options.flag('privileged'),
  }
}
