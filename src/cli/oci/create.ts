/** `create`, and what `run` shares with it. */
import { TsrunError } from '../../errors.ts'
import { type CreateOptions, createContainer } from '../../runtime/create.ts'
import { containerIdOf, type ParsedArguments } from './arguments.ts'
import { type OciCommand, type OciGlobals, ONE_ID } from './command.ts'
import { CREATE_FLAGS } from './flag-tables.ts'
import { inheritedDescriptors } from './inherited-descriptors.ts'

export const createCommand: OciCommand = {
  usage: '[flags] <container-id>',
  description: 'create a container whose process waits for start',
  table: CREATE_FLAGS,
  positional: ONE_ID,
  async run(args, globals) {
    // Threads to wait with would take longer to start than what they wait for.
    await createContainer({ ...createOptions(args, globals), waitsInPlace: true })
    return 0
  },
}

/** The options of the command line for createContainer. */
export function createOptions(args: ParsedArguments, globals: OciGlobals): CreateOptions {
  const id = containerIdOf(args)
  const consoleSocket = args.string('console-socket')
  const pidFile = args.string('pid-file')
  const pidfdSocket = args.string('pidfd-socket') ?? ''
  return {
    root: globals.root,
    stickyRoot: globals.stickyRoot,
    id,
    bundle: args.string('bundle') ?? process.cwd(),
    stdio: [0, 1, 2],
    preserved: preservedDescriptors(args),
    extraEnv: listenEnv(),
    cgroups: globals.cgroups,
    rootlessCgroups: globals.rootlessCgroups,
    warn: globals.warn,
    debug: globals.debug,
    noPivot: args.boolean('no-pivot'),
    noNewKeyring: args.boolean('no-new-keyring'),
    ...(consoleSocket === undefined || consoleSocket === '' ? {} : { consoleSocket }),
    ...(pidFile === undefined || pidFile === '' ? {} : { pidFile }),
    ...(pidfdSocket === '' ? {} : { pidfdSocket }),
  }
}

/** As runc: a console socket is for whoever takes the terminal over, not for a command that waits. */
export function refuseUnusedConsole(consoleSocket: string | undefined, detach: boolean): void {
  if (consoleSocket === undefined || detach) return
  throw new TsrunError(
    'invalid-argument',
    'cannot use console socket if tsrun will not detach or allocate tty',
    { hint: 'add --detach, or leave --console-socket out' },
  )
}

/** 3, 4, …: socket-activation descriptors first, then those of --preserve-fds, as runc counts. */
export function preservedDescriptors(args: ParsedArguments): readonly number[] {
  const count = listenDescriptors() + (args.number('preserve-fds') ?? 0)
  if (count < 0 || count > 200) {
    throw new TsrunError('invalid-argument', `cannot preserve ${count} descriptors`, {
      hint: 'give --preserve-fds a number from 0 to 200',
    })
  }
  const descriptors = Array.from({ length: count }, (_, i) => 3 + i)
  const isInherited = inheritedDescriptors(process.env)
  for (const fd of descriptors) {
    if (isInherited(fd)) continue
    throw new TsrunError(
      'invalid-argument',
      `cannot preserve descriptor ${fd} of ${count}: it is not open`,
      { hint: 'give --preserve-fds the number of descriptors after 2 that you hand over' },
    )
  }
  return descriptors
}

/** Socket activation (sd_listen_fds(3)): meant for us only when LISTEN_PID is our pid. */
function listenDescriptors(): number {
  const { LISTEN_FDS, LISTEN_PID } = process.env
  const count = Number(LISTEN_FDS ?? '0')
  return LISTEN_PID === String(process.pid) && Number.isSafeInteger(count) && count > 0 ? count : 0
}

/** The container's init takes the sockets over, as pid 1 of its namespace (runc does the same). */
function listenEnv(): readonly string[] {
  const count = listenDescriptors()
  return count === 0 ? [] : [`LISTEN_FDS=${count}`, 'LISTEN_PID=1']
}
