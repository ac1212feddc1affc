/** The texts of --help, made of the tables of the commands. */
import { wrapText } from '../../util/wrap-text.ts'
import type { EngineCommand, OptionSpec } from './command.ts'
import { type CommandEntry, type CommandGroup, GROUPS, SECTIONS } from './command-table.ts'
import { GLOBAL_OPTIONS } from './global-options.ts'

/** From here on descriptions begin on the line after a long name. */
const MAX_NAME_WIDTH = 34

/** One option of a list: how it is written, what it does. */
export interface OptionLine {
  readonly names: string
  readonly describe: string
}

/** Columns for a help text here: those of the terminal, within reason. */
export function helpWidth(): number {
  const columns = process.stdout.isTTY ? process.stdout.columns : 0
  return columns > 0 ? Math.min(Math.max(columns, 60), 110) : 80
}

/** `tsrun help`. */
export function overviewHelp(width: number): string {
  const sections = Object.entries(SECTIONS).map(([title, commands]) =>
    listing(`${title}:`, commandRows(commands), width),
  )
  const groups = Object.entries(GROUPS).map(([name, { describe }]) => [name, describe] as const)
  return blocks([
    'Usage: tsrun [options] COMMAND [arguments]',
    'Containers without a daemon. tsrun COMMAND --help shows the options of a command.',
    ...sections,
    listing('Groups of commands:', groups, width),
    listing('Options before the command:', optionRows(GLOBAL_OPTIONS), width),
  ])
}

/** `tsrun GROUP --help`. */
export function groupHelp(
  name: string,
  { describe, commands }: CommandGroup,
  width: number,
): string {
  return blocks([
    `Usage: tsrun ${name} COMMAND [arguments]`,
    `${sentence(describe)} tsrun ${name} COMMAND --help shows the options of a command.`,
    listing('Commands:', commandRows(commands), width),
  ])
}

/** `tsrun COMMAND --help`. */
export function commandHelp(command: EngineCommand, width: number): string {
  return blocks([
    `Usage: tsrun ${command.usage}`,
    wrapText(command.describe, width).join('\n'),
    ...optionGroupsOf(command).map(({ title, options }) =>
      listing(`${title}:`, optionRows(options), width),
    ),
    examplesOf(command),
  ])
}

/** The options of a command under their headings, those without one last. */
export function optionGroupsOf(
  command: EngineCommand,
): { readonly title: string; readonly options: Readonly<Record<string, OptionSpec>> }[] {
  const groups = Object.entries(command.optionGroups ?? {}).map(([title, names]) => ({
    title,
    options: Object.fromEntries(
      names.flatMap((name) => {
        const spec = command.options[name]
        return spec === undefined ? [] : [[name, spec] as const]
      }),
    ),
  }))
  const grouped = new Set(groups.flatMap(({ options }) => Object.keys(options)))
  const others = Object.entries(command.options).filter(
    ([name, { hidden }]) => !grouped.has(name) && hidden !== true,
  )
  const title = groups.length === 0 ? 'Options' : 'Other options'
  const help: [string, OptionSpec] = ['help', { type: 'flag', describe: 'show this text' }]
  return [...groups, { title, options: Object.fromEntries([...others, help]) }]
}

/** How an option is written and what it does: `-e, --env NAME[=value]...` when it can be given again. */
export function optionLine(name: string, spec: OptionSpec): OptionLine {
  const short = spec.alias?.length === 1 ? `-${spec.alias}, ` : '    '
  const long = spec.alias !== undefined && spec.alias.length > 1 ? `, --${spec.alias}` : ''
  const value = spec.type === 'flag' ? '' : ` ${spec.value ?? 'text'}`
  const again = spec.type === 'list' ? '...' : ''
  return { names: `${short}--${name}${long}${value}${again}`, describe: spec.describe }
}

function optionRows(options: Readonly<Record<string, OptionSpec>>): [string, string][] {
  return Object.entries(options).map(([name, spec]) => {
    const { names, describe } = optionLine(name, spec)
    return [names, describe]
  })
}

function commandRows(commands: Readonly<Record<string, CommandEntry>>): [string, string][] {
  return Object.entries(commands)
    .filter(([, { hidden }]) => hidden !== true)
    .map(([name, { describe }]) => [name, describe])
}

function examplesOf({ examples }: EngineCommand): string {
  const lines = examples.map(({ does, line }) => `  # ${does}\n  $ tsrun ${line}`)
  return lines.length === 0 ? '' : `Examples:\n${lines.join('\n')}`
}

function listing(
  title: string,
  rows: readonly (readonly [string, string])[],
  width: number,
): string {
  const longest = Math.max(0, ...rows.map(([name]) => name.length))
  const column = Math.min(longest, MAX_NAME_WIDTH) + 4
  const lines = rows.flatMap(([name, describe]) => {
    const wrapped = wrapText(describe, Math.max(width - column, 24))
    const first = name.length + 4 <= column ? (wrapped.shift() ?? '') : undefined
    const head = first === undefined ? `  ${name}` : `  ${name}`.padEnd(column) + first
    return [head, ...wrapped.map((line) => ' '.repeat(column) + line)]
  })
  return [title, ...lines].join('\n')
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`
}

function blocks(texts: readonly string[]): string {
  return `${texts.filter((text) => text !== '').join('\n\n')}\n`
}
