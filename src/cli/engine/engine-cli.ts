/** The engine's command line: finds the command, reads its options, runs it, and tells what went wrong. */
import { DEFAULT_DATA_ROOT, DEFAULT_STATE_ROOT } from '../../engine/default-roots.ts'
import { describeError, TsrunError } from '../../errors.ts'
import type { EngineCommand, EngineRoots } from './command.ts'

interface Verb {
  readonly describe: string
  readonly load: () => Promise<{ readonly command: EngineCommand }>
}

/** Each verb's file is loaded only when it is called: starting fast matters more than anything here. */
const VERBS: Readonly<Record<string, Verb>> = {
  run: { describe: 'run a command in a new container', load: () => import('./run.ts') },
  exec: { describe: 'run a command in a running container', load: () => import('./exec.ts') },
  attach: { describe: 'connect to a running container', load: () => import('./attach.ts') },
  ps: { describe: 'list containers', load: () => import('./ps.ts') },
  logs: { describe: 'print what a container has written', load: () => import('./logs.ts') },
  inspect: { describe: 'show everything about containers', load: () => import('./inspect.ts') },
  stats: { describe: 'show what containers use', load: () => import('./stats.ts') },
  top: { describe: 'show the processes of a container', load: () => import('./top.ts') },
  stop: { describe: 'stop running containers', load: () => import('./stop.ts') },
  kill: { describe: 'send a signal to containers', load: () => import('./kill.ts') },
  wait: { describe: 'wait for containers to end', load: () => import('./wait.ts') },
  rm: { describe: 'remove containers', load: () => import('./rm.ts') },
  pull: { describe: 'fetch an image from a registry', load: () => import('./pull.ts') },
  images: { describe: 'list images', load: () => import('./images.ts') },
  rmi: { describe: 'remove images', load: () => import('./rmi.ts') },
  tag: { describe: 'give an image another name', load: () => import('./tag.ts') },
  load: { describe: 'read images from an archive', load: () => import('./load.ts') },
  save: { describe: 'write images to an archive', load: () => import('./save.ts') },
  image: { describe: 'inspect images, and more', load: () => import('./image.ts') },
  version: { describe: 'show the version', load: () => import('./version.ts') },
  info: { describe: 'show what tsrun sees of this machine', load: () => import('./info.ts') },
  explain: {
    describe: 'show the system calls of a run without running it',
    load: () => import('./explain.ts'),
  },
}

const INTERNAL: Readonly<Record<string, Verb>> = {
  'internal-cleanup': { describe: '', load: () => import('./cleanup.ts') },
}

const GLOBALS = `Options before the command:
  --data-root PATH    images, layers and containers (${DEFAULT_DATA_ROOT})
  --state-root PATH   state of running containers (${DEFAULT_STATE_ROOT})
  --debug             show the stack of an error`

interface Globals {
  readonly roots: EngineRoots
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
  const [name = 'help', ...args] = rest
  if (name === 'help' || name === '--help' || name === '-h') {
    process.stdout.write(helpText())
    return 0
  }
  const verb = verbOf(name)
  const { command } = await verb.load()
  const { parseCommand } = await import('./parse-command.ts')
  const parsed = await parseCommand(command, args)
  if ('help' in parsed) {
    process.stdout.write(`${parsed.help}\n`)
    return 0
  }
  if (command.worksWithoutRoot?.(parsed.options) !== true) requireRoot(name, roots)
  return await command.run({ ...parsed, roots })
}

/** One sentence at once, instead of the first path that could not be read. */
function requireRoot(name: string, { dataRoot }: EngineRoots): void {
  const isRoot = process.geteuid?.() === 0
  const needsRoot = name === 'run' || name === 'exec' || dataRoot === DEFAULT_DATA_ROOT
  if (isRoot || !needsRoot) return
  throw new TsrunError('permission-denied', `cannot run the command "${name}": tsrun needs root`, {
    hint: 'run it as root; containers without root are not supported yet',
  })
}

function verbOf(name: string): Verb {
  for (const verbs of [VERBS, INTERNAL]) {
    const verb = Object.hasOwn(verbs, name) ? verbs[name] : undefined
    if (verb !== undefined) return verb
  }
  throw new TsrunError(
    'invalid-argument',
    `cannot run the command "${name}": there is none of this name`,
    {
      hint: 'tsrun help lists them',
    },
  )
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
  const dataRoot = values.get('--data-root') ?? DEFAULT_DATA_ROOT
  const stateRoot = values.get('--state-root') ?? DEFAULT_STATE_ROOT
  return { roots: { dataRoot, stateRoot, command: ownCommand(dataRoot, stateRoot) }, debug, rest }
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

function helpText(): string {
  const width = Math.max(...Object.keys(VERBS).map((name) => name.length)) + 2
  const verbs = Object.entries(VERBS).map(
    ([name, { describe }]) => `  ${name.padEnd(width)}${describe}\n`,
  )
  return `Usage: tsrun [options] COMMAND [arguments]

Containers without a daemon. tsrun COMMAND --help shows a command's options.

Commands:
${verbs.join('')}
${GLOBALS}
`
}
