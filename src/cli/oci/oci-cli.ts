/** The OCI runtime command line: globals, the verb, its errors where callers look for them. */
import { appendFileSync, fstatSync } from 'node:fs'
import { resolve } from 'node:path'
import { isatty } from 'node:tty'
import { describeError, errnoCodeOf, TsrunError } from '../../errors.ts'
import { createLogger, type LogFormat, type LogLevel } from '../../log.ts'
import { OCI_VERSION } from '../../oci/default-config.ts'
import { defaultRuntimeRoot } from '../../runtime/default-root.ts'
import { isHostRoot } from '../../util/host-user.ts'
import { startTimings, timedAsync, timingsLine } from '../../util/timings.ts'
import { VERSION } from '../../version.ts'
import {
  checkArgumentCount,
  FALSE_WORDS,
  type FlagTable,
  type ParsedArguments,
  parseArguments,
  TRUE_WORDS,
} from './arguments.ts'
import {
  helpText,
  type OciCommand,
  type OciGlobals,
  type ProgramName,
  print,
  printError,
} from './command.ts'
import { describeAsRunc } from './describe-as-runc.ts'

const GLOBAL_FLAGS: FlagTable = {
  flags: {
    root: 'string',
    log: 'string',
    'log-format': 'string',
    debug: 'boolean',
    'debug-timings': 'boolean',
    'systemd-cgroup': 'boolean',
    rootless: 'string',
    criu: 'string',
    'cgroup-manager': 'string',
    version: 'boolean',
    help: 'boolean',
  },
  aliases: { v: 'version', h: 'help' },
}

// One dynamic import each: `kill` must not pay for the compiler.
const COMMANDS: Readonly<Record<string, () => Promise<OciCommand>>> = {
  create: async () => (await import('./create.ts')).createCommand,
  start: async () => (await import('./simple-commands.ts')).startCommand,
  run: async () => (await import('./run.ts')).runCommand,
  exec: async () => (await import('./exec.ts')).execCommand,
  state: async () => (await import('./simple-commands.ts')).stateCommand,
  kill: async () => (await import('./simple-commands.ts')).killCommand,
  delete: async () => (await import('./simple-commands.ts')).deleteCommand,
  list: async () => (await import('./list.ts')).listCommand,
  ps: async () => (await import('./list.ts')).psCommand,
  pause: async () => (await import('./simple-commands.ts')).pauseCommand,
  resume: async () => (await import('./simple-commands.ts')).resumeCommand,
  update: async () => (await import('./update.ts')).updateCommand,
  spec: async () => (await import('./information.ts')).specCommand,
  features: async () => (await import('./information.ts')).featuresCommand,
  events: async () => (await import('./events.ts')).eventsCommand,
  checkpoint: async () => (await import('./checkpoint.ts')).checkpointCommand,
  restore: async () => (await import('./restore.ts')).restoreCommand,
  explain: async () => (await import('./explain.ts')).explainCommand,
}

/** Words after which this command line, and not the engine's, is meant. */
export const OCI_VERBS: readonly string[] = Object.keys(COMMANDS)

const generalHelp = (program: ProgramName): string => `NAME:
   ${program} - Open Container Initiative runtime

USAGE:
   ${program} [global flags] command [flags] [arguments]

COMMANDS:
   ${OCI_VERBS.join('\n   ')}

GLOBAL OPTIONS:
   ${Object.keys(GLOBAL_FLAGS.flags)
     .map((flag) => `--${flag}`)
     .join('\n   ')}
`

const EXIT_USAGE = 1
const EXIT_UNKNOWN_COMMAND = 3

/** Runs `argv` (without the program's name) and returns the exit status; errors are reported here. */
export async function runOciCli(argv: readonly string[], program: ProgramName): Promise<number> {
  let globals: ParsedArguments | undefined
  try {
    globals = parseArguments(argv, GLOBAL_FLAGS)
    if (globals.boolean('debug-timings')) startTimings()
    return await dispatch(globals, program)
  } catch (error) {
    report(error, globals, program)
    return exitCodeOf(error, globals?.positional[0])
  } finally {
    const line = timingsLine()
    if (line !== undefined) printError(line)
  }
}

async function dispatch(globals: ParsedArguments, program: ProgramName): Promise<number> {
  const [verb, ...rest] = globals.positional
  if (globals.boolean('version')) {
    print(`${program} version ${VERSION}\ncommit: v${VERSION}\nspec: ${OCI_VERSION}\n`)
    return 0
  }
  if (verb === undefined || verb === 'help' || globals.boolean('help')) {
    const topic = verb === 'help' ? rest[0] : undefined
    print(
      topic === undefined
        ? generalHelp(program)
        : helpText(program, topic, await loadCommand(topic)),
    )
    return 0
  }
  const command = await timedAsync('load', () => loadCommand(verb))
  const args = parseCommandLine(program, verb, command, rest)
  // podman and CRI-O probe `checkpoint --help` for its exit status.
  if (args.boolean('help')) {
    print(helpText(program, verb, command))
    return 0
  }
  checkUsage(program, verb, command, () => checkArgumentCount(args, verb, command.positional))
  return await command.run(args, decodeGlobals(globals, program))
}

async function loadCommand(verb: string): Promise<OciCommand> {
  const load = Object.hasOwn(COMMANDS, verb) ? COMMANDS[verb] : undefined
  if (load !== undefined) return await load()
  throw new TsrunError('invalid-argument', `No help topic for '${verb}'`, {
    hint: 'tsrun oci help lists the commands',
    exitCode: EXIT_UNKNOWN_COMMAND,
  })
}

function parseCommandLine(
  program: ProgramName,
  verb: string,
  command: OciCommand,
  argv: readonly string[],
): ParsedArguments {
  const { flags, aliases } = command.table
  const table = {
    flags: { ...flags, help: 'boolean' as const },
    aliases: { ...aliases, h: 'help' },
  }
  const order = command.flagsFirst === true ? 'flags-first' : 'interspersed'
  return checkUsage(program, verb, command, () => parseArguments(argv, table, order))
}

// runc shows the help on standard output when a command line is wrong, and ends with 1 for exec too.
function checkUsage<Result>(
  program: ProgramName,
  verb: string,
  command: OciCommand,
  check: () => Result,
): Result {
  try {
    return check()
  } catch (cause) {
    print(`Incorrect Usage.\n\n${helpText(program, verb, command)}`)
    throw new TsrunError('invalid-argument', `incorrect usage of ${verb}`, {
      cause,
      exitCode: EXIT_USAGE,
    })
  }
}

function decodeGlobals(globals: ParsedArguments, program: ProgramName): OciGlobals {
  const format = globals.string('log-format') ?? 'text'
  if (format !== 'text' && format !== 'json') {
    throw new TsrunError('invalid-argument', `invalid log-format: ${format}`, {
      hint: 'give text or json',
    })
  }
  const given = globals.string('root') ?? ''
  if (given !== '' && resolve(given) === '/') {
    throw new TsrunError('invalid-argument', 'Option --root argument should not be set to /', {
      hint: 'give a directory of its own, on a tmpfs',
    })
  }
  return {
    // `features` and `spec` need none: who has no place for one may have them all the same.
    get root() {
      return given === '' ? defaultRuntimeRoot(process.env).path : resolve(given)
    },
    rootGiven: given !== '',
    get stickyRoot() {
      return given === '' && defaultRuntimeRoot(process.env).isUsers
    },
    rootlessCgroups: hasRootlessCgroups(globals.string('rootless') ?? ''),
    debug: globals.boolean('debug') ? (step) => reportStep(step, globals) : () => undefined,
    cgroups: cgroupDriver(globals),
    ...((globals.string('criu') ?? '') === '' ? {} : { criu: globals.string('criu') ?? '' }),
    warn: (problem) => reportWarning(problem, globals, program),
  }
}

/** runc's --rootless: `auto` is for who is not root, or is root of a user namespace. */
function hasRootlessCgroups(word: string): boolean {
  if (TRUE_WORDS.has(word)) return true
  if (FALSE_WORDS.has(word)) return false
  if (word === '' || word.toLowerCase() === 'auto') return !isHostRoot()
  throw new TsrunError(
    'invalid-argument',
    `invalid boolean value ${JSON.stringify(word)} for -rootless`,
    { hint: 'give true, false or auto' },
  )
}

/** crun's --cgroup-manager, and runc's --systemd-cgroup. */
function cgroupDriver(globals: ParsedArguments): OciGlobals['cgroups'] {
  const given = globals.string('cgroup-manager')
  const manager = given ?? 'cgroupfs'
  if (manager !== 'cgroupfs' && manager !== 'systemd' && manager !== 'disabled') {
    throw new TsrunError('not-implemented', `unsupported: --cgroup-manager ${manager}`, {
      hint: 'give cgroupfs, systemd or disabled',
    })
  }
  // conmon gives --systemd-cgroup to a container without cgroups, too (podman run --cgroups=disabled).
  return globals.boolean('systemd-cgroup') && manager !== 'disabled' ? 'systemd' : manager
}

/**
 * An error is the last line of --log, which containerd shows users. podman reads the whole file as
 * one JSON object; when other lines stand before, it shows what is on stderr, so that is plain text
 * then, as runc's.
 */
function report(error: unknown, globals: ParsedArguments | undefined, program: ProgramName): void {
  const verb = globals?.positional[0]
  const message = program === 'runc' ? describeAsRunc(error, verb) : describeError(error)
  if (logToFile('error', message, globals)) printError(`${message}\n`)
  else logTo(printError, 'error', message, globals)
  if (globals?.boolean('debug') === true && error instanceof Error) printError(`${error.stack}\n`)
}

// To the log alone when there is one: stderr is the container's own. buildah, and a podman that does not
// know this runtime, give no log and would show the warnings as the container's output: without one they
// are for a person at a terminal, or for who expects runc, which prints them there.
function reportWarning(problem: unknown, globals: ParsedArguments, program: ProgramName): void {
  const message = describeError(problem)
  if (logToFile('warning', message, globals)) return
  const isHeard = program === 'runc' || globals.boolean('debug') || isTerminal(2)
  if (isHeard) logTo(printError, 'warning', message, globals)
}

function reportStep(step: string, globals: ParsedArguments): void {
  if (!logToFile('debug', step, globals)) logTo(printError, 'debug', step, globals)
}

// node:tty brings sockets and streams along, 2 ms that a pipe or a file need not pay.
function isTerminal(fd: number): boolean {
  try {
    return fstatSync(fd).isCharacterDevice() && isatty(fd)
  } catch (error) {
    if (errnoCodeOf(error) === 'EBADF') return false
    throw error
  }
}

/** False when there is no --log. */
function logToFile(
  level: LogLevel,
  message: string,
  globals: ParsedArguments | undefined,
): boolean {
  const log = globals?.string('log') ?? ''
  if (log === '') return false
  try {
    logTo((line) => appendFileSync(log, line, { mode: 0o644 }), level, message, globals)
  } catch (cause) {
    printError(`tsrun: cannot write to the log file "${log}": ${describeError(cause)}\n`)
  }
  return true
}

function logTo(
  write: (line: string) => void,
  level: LogLevel,
  message: string,
  globals: ParsedArguments | undefined,
): void {
  const format: LogFormat = globals?.string('log-format') === 'json' ? 'json' : 'text'
  createLogger({ write, format, level: 'debug' })[level](message)
}

// runc: 255 when exec fails before the process runs, 1 for everything else.
function exitCodeOf(error: unknown, verb: string | undefined): number {
  const own = error instanceof TsrunError ? error.exitCode : undefined
  if (own === EXIT_USAGE || own === EXIT_UNKNOWN_COMMAND) return own
  return verb === 'exec' ? 255 : 1
}
