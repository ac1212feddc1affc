/** What can be completed after a command: made of the same tables as its help. */
import type { EngineCommand, OptionSpec } from '../command.ts'
import { GROUPS, SECTIONS } from '../command-table.ts'
import { everyCommand } from '../every-command.ts'
import { GLOBAL_OPTIONS } from '../global-options.ts'

/** What stands at a place: names that are looked up when they are asked for, words, files, or anything. */
export type Completed =
  | { readonly kind: 'names'; readonly of: 'containers' | 'images' | 'volumes' | 'networks' }
  | { readonly kind: 'words'; readonly words: readonly string[] }
  | { readonly kind: 'files' }
  | { readonly kind: 'nothing' }

export interface CompletedOption {
  /** With their dashes: `-e`, `--env`. */
  readonly names: readonly string[]
  readonly describe: string
  /** Undefined for a flag. */
  readonly value: Completed | undefined
}

export interface CompletedCommand {
  /** All its words: `image ls`. */
  readonly name: string
  readonly describe: string
  readonly options: readonly CompletedOption[]
  readonly argument: Completed
}

/** The first words: commands and groups. */
export interface CompletionModel {
  readonly globals: readonly CompletedOption[]
  readonly first: readonly { readonly name: string; readonly describe: string }[]
  readonly groups: readonly {
    readonly name: string
    readonly commands: readonly { readonly name: string; readonly describe: string }[]
  }[]
  readonly commands: readonly CompletedCommand[]
}

/** Loads the table of every command. */
export async function completionModel(): Promise<CompletionModel> {
  const commands = (await everyCommand()).map(({ name, describe, command }) => ({
    name,
    describe,
    options: optionsOf({ ...command.options, help: { type: 'flag', describe: 'show its help' } }),
    argument: argumentOf(command),
  }))
  const visible = (table: Readonly<Record<string, { describe: string; hidden?: true }>>) =>
    Object.entries(table).flatMap(([name, { describe, hidden }]) =>
      hidden === true ? [] : [{ name, describe }],
    )
  return {
    globals: optionsOf(GLOBAL_OPTIONS),
    first: [...Object.values(SECTIONS).flatMap(visible), ...visible(GROUPS)],
    groups: Object.entries(GROUPS).map(([name, group]) => ({
      name,
      commands: visible(group.commands),
    })),
    commands,
  }
}

function optionsOf(options: Readonly<Record<string, OptionSpec>>): CompletedOption[] {
  return Object.entries(options).map(([name, { type, alias, describe, value }]) => ({
    names: [
      ...(alias === undefined ? [] : [alias.length === 1 ? `-${alias}` : `--${alias}`]),
      `--${name}`,
    ],
    describe,
    value: type === 'flag' ? undefined : valueOfPlaceholder(value ?? ''),
  }))
}

/** `path` and `file` are files, `a|b` one of those words. */
export function valueOfPlaceholder(placeholder: string): Completed {
  if (/^[a-z0-9-]+(\|[a-z0-9-]+)+$/.test(placeholder))
    return { kind: 'words', words: placeholder.split('|') }
  if (/^(path|file|directory)$/.test(placeholder)) return { kind: 'files' }
  return namesOf(placeholder.toUpperCase()) ?? { kind: 'nothing' }
}

// The first argument says what the command is about: `run [options] IMAGE [COMMAND]`.
function argumentOf({ usage, positionals }: EngineCommand): Completed {
  if (positionals.max === 0) return { kind: 'nothing' }
  const word = /(?<=[ [])[A-Z]+/.exec(usage)?.[0] ?? ''
  return (
    namesOf(word) ?? (word === 'PATH' || word === 'FILE' ? { kind: 'files' } : { kind: 'nothing' })
  )
}

function namesOf(word: string): Completed | undefined {
  if (word === 'CONTAINER' || word === 'IMAGE' || word === 'VOLUME' || word === 'NETWORK') {
    const of = {
      CONTAINER: 'containers',
      IMAGE: 'images',
      VOLUME: 'volumes',
      NETWORK: 'networks',
    } as const
    return { kind: 'names', of: of[word] }
  }
  return undefined
}
