/**
 * The shape of every engine command: its options as data, and one function that runs it.
 *
 * To add a command: a file with an exported `command`, and a line in command-table.ts. Help, completions and
 * man pages are made of what stands here, so that they cannot drift: `describe` of each option in one line,
 * `value` as the placeholder (`path` and `file` complete files, `a|b|c` completes those words), at least one
 * example. Arguments are completed by the words of `usage`: CONTAINER, IMAGE, VOLUME, NETWORK.
 */
import { TsrunError } from '../../errors.ts'

/** One option of a command. A `list` may be given several times. */
export interface OptionSpec {
  readonly type: 'flag' | 'string' | 'list'
  /** One-letter name, or another long one. */
  readonly alias?: string
  /** One line, lower case, without a final period. */
  readonly describe: string
  /** Known, but not offered: left out of help, completions and man pages. */
  readonly hidden?: true
  /** What stands for the value in the help text; a `string` or `list` without it takes a `text`. */
  readonly value?: string
}

/** Where the engine keeps its things; options of `tsrun` itself. */
export interface EngineRoots {
  /** Images, layers and containers. */
  readonly dataRoot: string
  /** State of running containers; gone after a reboot. */
  readonly stateRoot: string
  /** How to call tsrun with the same roots, absolute path first: a monitor does when its container has ended. */
  readonly command: readonly string[]
}

export interface CommandInput {
  readonly options: CommandOptions
  readonly positionals: readonly string[]
  readonly roots: EngineRoots
}

/** A command line that people can copy, and what it does. */
export interface CommandExample {
  readonly does: string
  /** Without `tsrun`. */
  readonly line: string
}

export interface EngineCommand {
  /** Without `tsrun`: `run [options] IMAGE [COMMAND] [ARG...]`. */
  readonly usage: string
  readonly describe: string
  readonly options: Readonly<Record<string, OptionSpec>>
  /** Headings for the help of many options, each with names of {@link options}; the others come last. */
  readonly optionGroups?: Readonly<Record<string, readonly string[]>>
  readonly examples: readonly CommandExample[]
  readonly positionals: { readonly min: number; readonly max: number }
  /** Options end at the first positional: the rest belongs to the container's command. */
  readonly optionsFirst?: boolean
  /** Whether these options leave nothing to do that needs root; absent when there always is something. */
  readonly worksWithoutRoot?: (options: CommandOptions) => boolean
  /** Runs the command; resolves to the exit code. */
  readonly run: (input: CommandInput) => Promise<number>
}

/** The options a user gave, read by name; a name that the command does not declare is a bug and throws. */
export class CommandOptions {
  readonly #specs: EngineCommand['options']
  readonly #values: ReadonlyMap<string, boolean | string | readonly string[]>

  constructor(
    specs: EngineCommand['options'],
    values: ReadonlyMap<string, boolean | string | readonly string[]>,
  ) {
    this.#specs = specs
    this.#values = values
  }

  /** The same values, read by a function that knows more options than the command has. */
  among(specs: EngineCommand['options']): CommandOptions {
    return new CommandOptions(specs, this.#values)
  }

  has(name: string): boolean {
    return this.#value(name) !== undefined
  }

  flag(name: string, fallback = false): boolean {
    const value = this.#value(name)
    return typeof value === 'boolean' ? value : fallback
  }

  string(name: string): string | undefined {
    const value = this.#value(name)
    return typeof value === 'string' ? value : undefined
  }

  list(name: string): readonly string[] {
    const value = this.#value(name)
    return Array.isArray(value) ? value : []
  }

  /** A whole number of at least `min`. */
  integer(name: string, min = 0): number | undefined {
    const text = this.string(name)
    if (text === undefined) return undefined
    const number = /^-?\d{1,15}$/.test(text) ? Number(text) : Number.NaN
    if (number >= min) return number
    throw new TsrunError(
      'invalid-argument',
      `cannot use --${name} "${text}": it must be a whole number of at least ${min}`,
    )
  }

  #value(name: string) {
    if (!Object.hasOwn(this.#specs, name))
      throw new RangeError(`the option ${name} is not declared`)
    return this.#values.get(name)
  }
}
