/** The engine's command line: finds the command, reads its options, runs it, and tells what went wrong. */
import { defaultDataRoot, defaultStateRoot } from '../../engine/default-roots.ts'
import { describeError, TsrunError } from '../../errors.ts'
import type { EngineRoots } from './command.ts'
import { findCommand } from './find-command.ts'

interface Globals {
  /** Throws where a user has no place for them: commands that need none must not ask. */
  readonly roots: () => EngineRoots
  readonly debug: boolean
  readonly rest: readonly string[]
}

/** Runs the engine command in `argv` and resolves to its exit code. Errors are told on stderr. */
export async function runEngineCli(argv: readonly string[]): Promise<number> {
  let debug = argv.includes('--debug')
  try {
    const globals = readGlobals(argv)
    debug = globals.debug
    return await runVerb(globals)
  } catch (error) {
    process.stderr.write(`tsrun: ${describeError(error)}\n`)
    if (debug && error instanceof Error) process.stderr.write(`${error.stack}\n`)
    return exitCodeOf(error)
  }
}

async function runVerb({ roots, rest }: Globals): Promise<number> {
  const [first = 'help', ...others] = rest
  if (['help', '--help', '-h'].includes(first)) return await showHelp(others)
  const found = findCommand(rest)
  if (found.kind === 'group') return await showHelp([found.name])
  const { command } = await found.entry.load()
  const { parseCommand } = await import('./parse-command.ts')
  const parsed = await parseCommand(command, found.args)
  if ('help' in parsed) {
    process.stdout.write(parsed.help)
    return 0
  }
  const input = {
    ...parsed,
    get roots() {
      return roots()
    },
  }
  if (process.geteuid?.() === 0 || command.worksWithoutRoot?.(parsed.options) === true)
    return await command.run(input)
  const { runAsUser } = await import('./run-as-user.ts')
  return await runAsUser(found.name, command, input, rest)
}

/** Of the command, the group or of tsrun itself. */
async function showHelp(words: readonly string[]): Promise<number> {
  const { commandHelp, groupHelp, helpWidth, overviewHelp } = await import('./help-text.ts')
  const width = helpWidth()
  if (words.length === 0) {
    process.stdout.write(overviewHelp(width))
    return 0
  }
  const found = findCommand(words)
  process.stdout.write(
    found.kind === 'group'
      ? groupHelp(found.name, found.group, width)
      : commandHelp((await found.entry.load()).command, width),
  )
  return 0
}

function readGlobals(argv: readonly string[]): Globals {
  const values = new Map<string, string>()
  const rest = [...argv]
  let debug = false
  for (let arg = rest[0]; arg?.startsWith('--'); arg = rest[0]) {
    const [option = '', ...assigned] = arg.split('=')
    if (option === '--debug') debug = true
    else if (option === '--data-root' || option === '--state-root')
      values.set(option, rootPathOf(option, assigned, rest))
    else break
    rest.shift()
  }
  const roots = (): EngineRoots => {
    const dataRoot = values.get('--data-root') ?? defaultDataRoot()
    const stateRoot = values.get('--state-root') ?? defaultStateRoot()
    return { dataRoot, stateRoot, command: ownCommand(dataRoot, stateRoot) }
  }
  return { roots, debug, rest }
}

// `--name=value`, or the value is the next argument, which is then taken off too.
function rootPathOf(option: string, assigned: readonly string[], rest: string[]): string {
  const value = assigned.length > 0 ? assigned.join('=') : rest.splice(1, 1)[0]
  if (value?.startsWith('/')) return value
  throw new TsrunError(
    'invalid-argument',
    `cannot use ${option} "${value ?? ''}": it must be an absolute path`,
  )
}

function ownCommand(dataRoot: string, stateRoot: string): readonly string[] {
  const roots = ['--data-root', dataRoot, '--state-root', stateRoot]
  const { execPath, execArgv, argv } = process
  const script = argv[1] ?? ''
  // The standalone executable is its own script.
  return script === execPath
    ? [execPath, ...roots]
    : [execPath, ...execArgv, '--', script, ...roots]
}

/** 125 is tsrun's own failure; 126 and 127 come with the error (podman's and docker's numbers). */
function exitCodeOf(error: unknown): number {
  for (let e: unknown = error; e instanceof Error; e = e.cause) {
    if (e instanceof TsrunError && e.exitCode !== undefined) return e.exitCode
  }
  return 125
}
