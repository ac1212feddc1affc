/**
 * The command line of an OCI runtime, as runc's Go parser reads it: `--flag value`, `--flag=value`,
 * `-flag`, short forms, flags before the positional arguments only.
 */
import { TsrunError } from '../../errors.ts'

export type FlagKind = 'boolean' | 'string' | 'list' | 'number'

/** Long names to kinds; `aliases` gives one-letter forms. */
export interface FlagTable {
  readonly flags: Readonly<Record<string, FlagKind>>
  readonly aliases?: Readonly<Record<string, string>>
}

/** What was given. Flags that were not given are absent. */
export class ParsedArguments {
  readonly positional: readonly string[]
  readonly #values: ReadonlyMap<string, readonly string[]>

  constructor(values: ReadonlyMap<string, readonly string[]>, positional: readonly string[]) {
    this.#values = values
    this.positional = positional
  }

  has(flag: string): boolean {
    return this.#values.has(flag)
  }

  /** The last value given. */
  string(flag: string): string | undefined {
    return this.#values.get(flag)?.at(-1)
  }

  /** The last value; an empty one is the same as none, as with runc. */
  given(flag: string): string | undefined {
    const value = this.string(flag)
    return value === '' ? undefined : value
  }

  list(flag: string): readonly string[] {
    return this.#values.get(flag) ?? []
  }

  boolean(flag: string): boolean {
    return this.string(flag) === 'true'
  }

  /** A decimal integer. Throws `invalid-argument`. */
  number(flag: string): number | undefined {
    const text = this.string(flag)
    if (text === undefined) return undefined
    if (/^-?\d+$/.test(text) && Number.isSafeInteger(Number(text))) return Number(text)
    throw new TsrunError(
      'invalid-argument',
      `invalid value ${JSON.stringify(text)} for flag -${flag}: not an integer`,
    )
  }
}

export const TRUE_WORDS: ReadonlySet<string> = new Set(['1', 't', 'T', 'true', 'TRUE', 'True'])
/** Go's strconv.ParseBool. */
export const FALSE_WORDS: ReadonlySet<string> = new Set(['0', 'f', 'F', 'false', 'FALSE', 'False'])

/**
 * Parses flags from `argv` up to the first argument that is not one, or `--`; the rest is positional.
 * With `interspersed` flags are found behind positional arguments too (`update ID --resources -`).
 */
export function parseArguments(
  argv: readonly string[],
  table: FlagTable,
  order: 'flags-first' | 'interspersed' = 'flags-first',
): ParsedArguments {
  const values = new Map<string, string[]>()
  const positional: string[] = []
  let i = 0
  for (; i < argv.length; i++) {
    const word = argv[i] ?? ''
    if (word === '--') {
      i++
      break
    }
    if (!word.startsWith('-') || word === '-') {
      if (order === 'flags-first') break
      positional.push(word)
      continue
    }
    const { name, inline } = splitFlag(word, table)
    const kind = table.flags[name]
    if (kind === undefined || !Object.hasOwn(table.flags, name)) throw unknownFlag(word)
    const value = inline ?? (kind === 'boolean' ? 'true' : argv[++i])
    if (value === undefined)
      throw new TsrunError('invalid-argument', `flag needs an argument: ${word}`)
    values.set(name, [
      ...(values.get(name) ?? []),
      kind === 'boolean' ? booleanWord(name, value) : value,
    ])
  }
  return new ParsedArguments(values, [...positional, ...argv.slice(i)])
}

function splitFlag(word: string, table: FlagTable): { name: string; inline: string | undefined } {
  const bare = word.replace(/^--?/, '')
  const equals = bare.indexOf('=')
  const given = equals < 0 ? bare : bare.slice(0, equals)
  const inline = equals < 0 ? undefined : bare.slice(equals + 1)
  return { name: table.aliases?.[given] ?? given, inline }
}

function booleanWord(name: string, value: string): string {
  if (TRUE_WORDS.has(value)) return 'true'
  if (FALSE_WORDS.has(value)) return 'false'
  throw new TsrunError(
    'invalid-argument',
    `invalid boolean value ${JSON.stringify(value)} for -${name}`,
  )
}

function unknownFlag(word: string): TsrunError {
  return new TsrunError(
    'invalid-argument',
    `flag provided but not defined: ${word.split('=')[0]}`,
    {
      hint: 'tsrun oci <command> --help lists the flags',
    },
  )
}

/** The first positional argument, which every verb but list, spec and features has. */
export function containerIdOf(args: ParsedArguments): string {
  const id = args.positional[0] ?? ''
  if (id !== '') return id
  throw new TsrunError('invalid-argument', 'container id cannot be empty')
}

/** How many positional arguments a verb takes. */
export interface ArgumentCount {
  readonly least: number
  readonly most: number
}

/** Throws `invalid-argument`, in runc's words, when there are too few or too many. */
export function checkArgumentCount(
  args: ParsedArguments,
  command: string,
  { least, most }: ArgumentCount,
): void {
  const count = args.positional.length
  if (count >= least && count <= most) return
  const wanted =
    least === most
      ? `exactly ${least}`
      : count < least
        ? `a minimum of ${least}`
        : `a maximum of ${most}`
  throw new TsrunError('invalid-argument', `"${command}" requires ${wanted} argument(s)`, {
    hint: `tsrun oci ${command} --help shows the usage`,
  })
}
