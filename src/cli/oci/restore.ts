/** `restore`: runc's flags for criu; in the foreground it waits and removes the container. */
import { resolve } from 'node:path'
import { TsrunError } from '../../errors.ts'
import { readBundleConfig } from '../../runtime/bundle.ts'
import { deleteContainer } from '../../runtime/delete.ts'
import { killContainer } from '../../runtime/kill.ts'
import { type RestoreOptions, restoreContainer } from '../../runtime/restore.ts'
import { type ForegroundSignals, inForeground } from '../foreground-signals.ts'
import { containerIdOf, type ParsedArguments } from './arguments.ts'
import { type OciCommand, type OciGlobals, ONE_ID } from './command.ts'
import { refuseUnusedConsole } from './create.ts'
import { CRIU_FLAGS, criuFlags } from './criu-flags.ts'
import { FORWARDED, forwardSignals } from './forward-signals.ts'

export const restoreCommand: OciCommand = {
  usage: '[flags] <container-id>',
  description: 'make a container of a checkpoint',
  table: {
    flags: {
      ...CRIU_FLAGS,
      'console-socket': 'string',
      bundle: 'string',
      detach: 'boolean',
      'pid-file': 'string',
      'no-subreaper': 'boolean',
      'no-pivot': 'boolean',
      'lsm-profile': 'string',
      'lsm-mount-context': 'string',
    },
    aliases: { b: 'bundle', d: 'detach' },
  },
  positional: ONE_ID,
  async run(args, globals) {
    if (args.boolean('no-pivot')) {
      throw new TsrunError('not-implemented', 'unsupported: restore --no-pivot', {
        hint: 'leave it out: criu changes the root itself, by pivot_root(2)',
      })
    }
    const options = restoreOptions(args, globals)
    if (!args.boolean('detach'))
      return await inForeground(FORWARDED, (signals) =>
        restoreForeground(options, globals, signals),
      )
    using _restored = await restoreContainer(options)
    return 0
  },
}

function restoreOptions(args: ParsedArguments, globals: OciGlobals): RestoreOptions {
  const consoleSocket = args.given('console-socket')
  const pidFile = args.given('pid-file')
  const lsmProfile = args.given('lsm-profile')
  const lsmMountContext = args.given('lsm-mount-context')
  return {
    ...criuFlags(args, globals),
    root: globals.root,
    stickyRoot: globals.stickyRoot,
    id: containerIdOf(args),
    bundle: args.given('bundle') ?? process.cwd(),
    stdio: [0, 1, 2],
    environment: process.env,
    cgroups: globals.cgroups,
    ...(consoleSocket === undefined ? {} : { consoleSocket }),
    ...(pidFile === undefined ? {} : { pidFile }),
    ...(lsmProfile === undefined ? {} : { lsmProfile }),
    ...(lsmMountContext === undefined ? {} : { lsmMountContext }),
  }
}

async function restoreForeground(
  options: RestoreOptions,
  { root }: OciGlobals,
  signals: ForegroundSignals,
): Promise<number> {
  refuseUnusedConsole(options.consoleSocket, false)
  const onTerminal = readBundleConfig(resolve(options.bundle)).process?.terminal === true
  using relay = onTerminal ? (await import('./relay-terminal.ts')).openTerminalRelay() : undefined
  // The programs are there already: what comes before they go on is theirs.
  signals.begin()
  using restored = await restoreContainer({
    ...options,
    ...(relay === undefined ? {} : { consoleFd: relay.consoleFd }),
  })
  try {
    forwardSignals(signals, (signal) => killContainer(root, options.id, signal))
    relay?.begin()
    const { exitCode } = await restored.wait()
    await relay?.drained()
    return exitCode
  } finally {
    await deleteContainer(root, options.id, true)
  }
}
