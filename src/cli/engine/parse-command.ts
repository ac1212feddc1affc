/** Reads an engine command line with yargs. Nothing is guessed: unknown options are refused. */
import type Yargs from 'yargs'
import { TsrunError } from '../../errors.ts'
import { nearestWord } from '../../util/nearest-word.ts'
import { CommandOptions, type EngineCommand, type OptionSpec } from './command.ts'

export type ParsedCommand =
  | { readonly help: string }
  | { readonly options: CommandOptions; readonly positionals: readonly string[] }

/** Parses what follows the command's name. */
export async function parseCommand(
  command: EngineCommand,
  args: readonly string[],
): Promise<ParsedCommand> {
  const { options, positionals } = separate(command, args)
  if (options.some((option) => isHelp(command, option))) return { help: await helpOf(command) }
  for (const option of options) refuseWrong(command, option)
  const values = readKnown(command, options) ?? (await readWithYargs(command, options))
  checkCount(command, positionals)
  return { options: new CommandOptions(command.options, values), positionals }
}

// docker's old `-h` too, unless the command has its own.
function isHelp(command: EngineCommand, option: string): boolean {
  if (option === '--help' || option === '--help=true') return true
  return option === '-h' && longName(command, 'h') === undefined
}

async function helpOf(command: EngineCommand): Promise<string> {
  const { commandHelp, helpWidth } = await import('./help-text.ts')
  return commandHelp(command, helpWidth())
}

function refuseWrong(command: EngineCommand, option: string): void {
  const [, name = '', value] = /^--?([^=]*)(?:=([\s\S]*))?$/.exec(option) ?? []
  const spec = option.startsWith('--') ? optionNamed(command, name) : undefined
  if (spec !== undefined) {
    checkValue(command, name, spec, value)
    return
  }
  const nearest = nearestWord(name, Object.keys(command.options))
  const shown = option.startsWith('--') ? `--${name}` : option
  throw new TsrunError(
    'invalid-argument',
    `cannot read the command line of "${nameOf(command)}": there is no option ${shown}`,
    {
      hint:
        nearest === undefined
          ? `tsrun ${nameOf(command)} --help lists them`
          : `did you mean --${nearest}? tsrun ${nameOf(command)} --help lists all`,
    },
  )
}

function checkValue(
  command: EngineCommand,
  name: string,
  spec: OptionSpec,
  value: string | undefined,
): void {
  if (spec.type !== 'flag') {
    if (value !== undefined) return
    throw usageError(command, `--${name} needs a value: ${spec.value ?? 'text'}`)
  }
  if (value === undefined || value === 'true' || value === 'false') return
  throw usageError(command, `--${name} is either given or not; "${value}" is no value for it`)
}

function optionNamed(command: EngineCommand, name: string): OptionSpec | undefined {
  const long = Object.hasOwn(command.options, name) ? name : longName(command, name)
  return long === undefined ? undefined : command.options[long]
}

/** The words of the command: `image ls`. */
function nameOf(command: EngineCommand): string {
  return /^[a-z][a-z -]*(?= |$)/.exec(command.usage)?.[0].trimEnd() ?? command.usage
}

type Values = Map<string, boolean | string | string[]>

/**
 * The values of options that are all known and well-formed; undefined for anything else. yargs alone
 * takes longer to load than a container takes to start, so it is asked only for what is malformed.
 */
function readKnown(command: EngineCommand, options: readonly string[]): Values | undefined {
  const values: Values = new Map()
  for (const option of options) {
    const match = /^--([^=]+)(?:=([\s\S]*))?$/.exec(option)
    const name = match?.[1] ?? ''
    const type = Object.hasOwn(command.options, name) ? command.options[name]?.type : undefined
    const text = match?.[2]
    if (type === 'flag') {
      if (text !== undefined && text !== 'true' && text !== 'false') return undefined
      values.set(name, text !== 'false')
    } else {
      if (type === undefined || text === undefined) return undefined
      const before = values.get(name)
      values.set(name, type === 'list' ? [...(Array.isArray(before) ? before : []), text] : text)
    }
  }
  return values
}

async function readWithYargs(command: EngineCommand, options: readonly string[]): Promise<Values> {
  const { default: yargs } = await import('yargs')
  const parser = parserFor(yargs, command)
  const { given, failure } = run(parser, options)
  if (failure !== undefined) throw usageError(command, failure)
  return valuesOf(command, given)
}

interface Given {
  readonly [name: string]: unknown
}

/**
 * Splits the arguments as getopt does, each option in the form `--name=value`: yargs would take
 * `-m64m` for seven flags and `--name -x` for two options.
 */
function separate(
  command: EngineCommand,
  args: readonly string[],
): { options: string[]; positionals: string[] } {
  const options: string[] = []
  const positionals: string[] = []
  const rest = [...args]
  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    if (arg === '--') {
      positionals.push(...rest)
      break
    }
    if (arg.startsWith('--')) {
      const value = takesValue(command, arg.slice(2)) ? rest.shift() : undefined
      options.push(value === undefined ? arg : `${arg}=${value}`)
    } else if (arg.startsWith('-') && arg !== '-') {
      options.push(...expandShort(command, arg, rest))
    } else {
      positionals.push(arg)
      if (command.optionsFirst === true) {
        positionals.push(...rest)
        break
      }
    }
  }
  return { options, positionals }
}

// `-it` is two flags, `-m64m` and `-m 64m` are one value.
function expandShort(command: EngineCommand, arg: string, rest: string[]): string[] {
  const expanded: string[] = []
  for (let i = 1; i < arg.length; i++) {
    const name = longName(command, arg.charAt(i))
    if (name === undefined) return [...expanded, `-${arg.charAt(i)}`]
    if (command.options[name]?.type === 'flag') {
      const assigned = arg.charAt(i + 1) === '=' ? arg.slice(i + 1) : ''
      expanded.push(`--${name}${assigned}`)
      if (assigned !== '') return expanded
      continue
    }
    const attached = arg.slice(i + 1).replace(/^=/, '')
    const value = attached === '' ? rest.shift() : attached
    return [...expanded, value === undefined ? `--${name}` : `--${name}=${value}`]
  }
  return expanded
}

function longName(command: EngineCommand, alias: string): string | undefined {
  return Object.keys(command.options).find((name) => command.options[name]?.alias === alias)
}

function takesValue(command: EngineCommand, text: string): boolean {
  if (text.includes('=')) return false
  const spec = optionNamed(command, text)
  return spec !== undefined && spec.type !== 'flag'
}

function parserFor(yargs: typeof Yargs, command: EngineCommand) {
  const parser = yargs()
    .scriptName('tsrun')
    .version(false)
    .help(false)
    .exitProcess(false)
    .strictOptions()
    .parserConfiguration({
      'greedy-arrays': false,
      'camel-case-expansion': false,
      'dot-notation': false,
      'boolean-negation': false,
      'parse-numbers': false,
      'duplicate-arguments-array': true,
    })
  for (const [name, spec] of Object.entries(command.options)) parser.option(name, yargsOption(spec))
  return parser
}

function yargsOption(spec: OptionSpec) {
  return {
    type: spec.type === 'flag' ? ('boolean' as const) : ('string' as const),
    ...(spec.type === 'flag' ? {} : { requiresArg: true, nargs: 1 }),
    ...(spec.alias === undefined ? {} : { alias: spec.alias }),
  }
}

function run(
  parser: ReturnType<typeof parserFor>,
  args: readonly string[],
): { given: Given; failure?: string } {
  let failure: string | undefined
  const given = parser
    .fail((message, error) => {
      failure ??= message ?? error?.message
    })
    .parseSync([...args])
  return failure === undefined ? { given } : { given, failure }
}

function valuesOf(command: EngineCommand, given: Given): Values {
  const values: Values = new Map()
  for (const [name, { type }] of Object.entries(command.options)) {
    const value = given[name]
    if (value === undefined) continue
    const all = Array.isArray(value) ? value : [value]
    if (type === 'list') values.set(name, all.map(String))
    else if (type === 'flag') values.set(name, all.at(-1) === true)
    else values.set(name, String(all.at(-1)))
  }
  return values
}

function checkCount(command: EngineCommand, positionals: readonly string[]): void {
  const { min, max } = command.positionals
  if (positionals.length < min)
    throw usageError(command, `${missingWord(command, positionals.length)} is missing`)
  if (positionals.length > max)
    throw usageError(command, `"${positionals[max]}" is one argument too many`)
}

/** The first argument of the usage that was not given: `CONTAINER`. */
function missingWord({ usage }: EngineCommand, given: number): string {
  const words = usage.split(' ').filter((word) => /^[A-Z]/.test(word))
  return words[given] ?? 'an argument'
}

function usageError(command: EngineCommand, detail: string): TsrunError {
  // yargs begins with a capital, a usage has whole words of them.
  const text = /^[A-Z]{2}/.test(detail) ? detail : detail.charAt(0).toLowerCase() + detail.slice(1)
  return new TsrunError(
    'invalid-argument',
    `cannot read the command line of "${nameOf(command)}": ${text}`,
    {
      hint: `usage: tsrun ${command.usage}`,
    },
  )
}
