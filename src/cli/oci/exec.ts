/** `exec`: a process in a running container, in the foreground or detached. */
import { readFileSync } from 'node:fs'
import { errnoCodeOf, TsrunError } from '../../errors.ts'
import { isCapabilityName } from '../../linux/capabilities.ts'
import type { Process, User } from '../../oci/runtime-config.ts'
import { parseProcess } from '../../oci/validate-runtime-config.ts'
import { type ExecOptions, execInContainer } from '../../runtime/exec.ts'
import { signalProcess } from '../../runtime/kill.ts'
import { loadContainer } from '../../runtime/load-container.ts'
import { savedConfig } from '../../runtime/saved-config.ts'
import { type ForegroundSignals, inForeground } from '../foreground-signals.ts'
import { containerIdOf, type ParsedArguments } from './arguments.ts'
import type { OciCommand } from './command.ts'
import { preservedDescriptors, refuseUnusedConsole } from './create.ts'
import { EXEC_FLAGS } from './flag-tables.ts'
import { FORWARDED, forwardSignals } from './forward-signals.ts'
import type { TerminalRelay } from './relay-terminal.ts'
import { subCgroupPath } from './sub-cgroup.ts'

const MAX_ID = 2 ** 32 - 2 // -1 means "no change" to the kernel

export const execCommand: OciCommand = {
  usage: '[flags] <container-id> [command [arguments]]',
  description: 'run a process in a running container',
  table: EXEC_FLAGS,
  positional: { least: 1, most: Number.POSITIVE_INFINITY },
  flagsFirst: true,
  async run(args, globals) {
    const id = containerIdOf(args)
    const command = args.positional.slice(1)
    await loadContainer(globals.root, id)
    const consoleSocket = args.given('console-socket')
    const pidFile = args.given('pid-file')
    const pidfdSocket = args.given('pidfd-socket')
    const cgroup = subCgroupPath(args.list('cgroup'))
    const detach = args.boolean('detach')
    refuseUnusedConsole(consoleSocket, detach)
    const process =
      args.given('process') !== undefined
        ? processFromFile(args)
        : processFromFlags(args, command, globals.root, id)
    const onTerminal = process.terminal === true && consoleSocket === undefined && !detach
    using relay = onTerminal ? (await import('./relay-terminal.ts')).openTerminalRelay() : undefined
    const options: ExecOptions = {
      root: globals.root,
      id,
      process,
      stdio: [0, 1, 2],
      preserved: preservedDescriptors(args),
      supervise: !detach,
      ignorePaused: args.boolean('ignore-paused'),
      noNewKeyring: args.boolean('no-new-keyring'),
      warn: globals.warn,
      debug: globals.debug,
      ...(consoleSocket === undefined ? {} : { consoleSocket }),
      ...(relay === undefined ? {} : { consoleFd: relay.consoleFd }),
      ...(pidFile === undefined ? {} : { pidFile }),
      ...(pidfdSocket === undefined ? {} : { pidfdSocket }),
      ...(cgroup === undefined ? {} : { cgroup }),
    }
    if (!detach) return await inForeground(FORWARDED, (signals) => follow(options, relay, signals))
    await execInContainer(options)
    return 0
  },
}

async function follow(
  options: ExecOptions,
  relay: TerminalRelay | undefined,
  signals: ForegroundSignals,
): Promise<number> {
  const { pid, exited } = await execInContainer({
    ...options,
    signal: signals.stop,
    ready() {
      signals.begin()
      relay?.begin()
    },
  })
  forwardSignals(signals, async (signal) => signalProcess(pid, signal))
  if (exited === undefined) throw new TsrunError('internal', 'cannot wait for the process')
  const { exitCode } = await exited
  await relay?.drained()
  return exitCode
}

function processFromFile(args: ParsedArguments): Process {
  const path = args.string('process') ?? ''
  try {
    const process = parseProcess(readFileSync(path, 'utf8'))
    return args.has('tty') ? { ...process, terminal: args.boolean('tty') } : process
  } catch (error) {
    const code = errnoCodeOf(error)
    if (code === undefined) throw error
    throw new TsrunError('invalid-argument', `cannot read the process file "${path}": ${code}`, {
      cause: error,
    })
  }
}

// As runc: the container's own process, with what the flags change.
function processFromFlags(
  args: ParsedArguments,
  command: readonly string[],
  root: string,
  id: string,
): Process {
  if (command.length === 0) throw new TsrunError('invalid-argument', 'process args cannot be empty')
  const own = savedConfig(root, id).process ?? { cwd: '/' }
  const user = args.string('user')
  const selinuxLabel = args.given('process-label')
  const apparmorProfile = args.given('apparmor')
  const gids = args.list('additional-gids').map((gid) => parseId(gid, 'additional gid'))
  return {
    ...own,
    terminal: args.boolean('tty'),
    args: command,
    cwd: args.given('cwd') ?? own.cwd,
    env: [...(own.env ?? []), ...args.list('env')],
    user: {
      ...(own.user ?? { uid: 0, gid: 0 }),
      ...(user === undefined ? {} : parseUser(user)),
      ...(gids.length === 0
        ? {}
        : { additionalGids: [...(own.user?.additionalGids ?? []), ...gids] }),
    },
    ...(args.has('no-new-privs') ? { noNewPrivileges: args.boolean('no-new-privs') } : {}),
    ...(selinuxLabel === undefined ? {} : { selinuxLabel }),
    ...(apparmorProfile === undefined ? {} : { apparmorProfile }),
    capabilities: withCapabilities(own.capabilities ?? {}, args.list('cap')),
  }
}

/** Strict decimal `uid[:gid]`: anything lenient here once meant root (CVE-2026-30892). */
export function parseUser(text: string): Partial<User> {
  const [uid = '', gid, extra] = text.split(':')
  if (extra !== undefined)
    throw new TsrunError('invalid-argument', `invalid user ${JSON.stringify(text)}`, {
      hint: 'give uid or uid:gid, in digits',
    })
  return {
    uid: parseId(uid, 'uid'),
    ...(gid === undefined ? {} : { gid: parseId(gid, 'gid') }),
  }
}

function parseId(text: string, what: string): number {
  const value = Number(text)
  if (/^(0|[1-9]\d{0,9})$/.test(text) && value <= MAX_ID) return value
  throw new TsrunError('invalid-argument', `invalid ${what} ${JSON.stringify(text)}`, {
    hint: `give decimal digits, at most ${MAX_ID}`,
  })
}

function withCapabilities(
  own: NonNullable<Process['capabilities']>,
  added: readonly string[],
): NonNullable<Process['capabilities']> {
  for (const name of added) {
    if (!isCapabilityName(name))
      throw new TsrunError('invalid-argument', `unknown capability ${JSON.stringify(name)}`)
  }
  const plus = (set: readonly string[] | undefined): readonly string[] => [
    ...new Set([...(set ?? []), ...added]),
  ]
  return added.length === 0
    ? own
    : {
        ...own,
        bounding: plus(own.bounding),
        effective: plus(own.effective),
        permitted: plus(own.permitted),
        // The kernel raises an ambient capability only where it is inheritable too (capabilities(7)).
        ambient: [
          ...(own.ambient ?? []),
          ...added.filter((name) => own.inheritable?.includes(name)),
        ],
      }
}
