/** Man pages in the man(7) macros, made of the tables of the commands. */
import { VERSION } from '../../../version.ts'
import type { EngineCommand, OptionSpec } from '../command.ts'
import { GROUPS, SECTIONS } from '../command-table.ts'
import type { NamedCommand } from '../every-command.ts'
import { GLOBAL_OPTIONS } from '../global-options.ts'
import { optionGroupsOf, optionLine } from '../help-text.ts'

/** The name of the page of a command: `tsrun-image-ls`; that of tsrun itself without one. */
export function manPageName(command?: string): string {
  return command === undefined ? 'tsrun' : `tsrun-${command.replaceAll(' ', '-')}`
}

/** The page tsrun(1): all commands and the options before them. */
export function overviewPage(): string {
  const sections = Object.entries(SECTIONS).flatMap(([title, commands]) => [
    `.SS ${roff(title)}`,
    ...Object.entries(commands).flatMap(([name, { describe, hidden }]) =>
      hidden === true ? [] : commandEntry(name, describe),
    ),
  ])
  const groups = Object.entries(GROUPS).flatMap(([group, { commands }]) =>
    Object.entries(commands).flatMap(([name, { describe, hidden }]) =>
      hidden === true ? [] : commandEntry(`${group} ${name}`, describe),
    ),
  )
  return page([
    heading('tsrun'),
    '.SH NAME',
    'tsrun \\- containers without a daemon',
    '.SH SYNOPSIS',
    '.B tsrun',
    '[options] \\fICOMMAND\\fR [arguments]',
    '.SH OPTIONS',
    ...optionEntries(GLOBAL_OPTIONS),
    '.SH COMMANDS',
    ...sections,
    '.SS Groups of commands',
    ...groups,
    '.SH EXIT STATUS',
    'That of the container, 125 when tsrun itself failed, 126 when the program cannot be run, 127 when there is none.',
  ])
}

/** The page of one command. */
export function commandPage({ name, describe, command }: NamedCommand): string {
  return page([
    heading(manPageName(name)),
    '.SH NAME',
    `${roff(manPageName(name))} \\- ${roff(describe)}`,
    '.SH SYNOPSIS',
    `\\fBtsrun\\fR ${roff(command.usage)}`,
    '.SH DESCRIPTION',
    roff(command.describe),
    ...optionSections(command),
    ...exampleSection(command),
    '.SH SEE ALSO',
    '.BR tsrun (1)',
  ])
}

function optionSections(command: EngineCommand): string[] {
  const groups = optionGroupsOf(command)
  if (groups.length === 1) return ['.SH OPTIONS', ...optionEntries(groups[0]?.options ?? {})]
  return [
    '.SH OPTIONS',
    ...groups.flatMap(({ title, options }) => [`.SS ${roff(title)}`, ...optionEntries(options)]),
  ]
}

function optionEntries(options: Readonly<Record<string, OptionSpec>>): string[] {
  return Object.entries(options).flatMap(([name, spec]) => {
    const { names, describe } = optionLine(name, spec)
    return ['.TP', `\\fB${roff(names.trim())}\\fR`, roff(describe)]
  })
}

function exampleSection({ examples }: EngineCommand): string[] {
  if (examples.length === 0) return []
  return [
    '.SH EXAMPLES',
    ...examples.flatMap(({ does, line }) => ['.TP', roff(does), `\\fBtsrun ${roff(line)}\\fR`]),
  ]
}

function commandEntry(name: string, describe: string): string[] {
  return ['.TP', `\\fB${roff(name)}\\fR`, roff(describe)]
}

function heading(name: string): string {
  return `.TH ${name.toUpperCase()} 1 "" "tsrun ${VERSION}"`
}

/** Backslashes and hyphens as themselves, and no line that begins as a request (groff(7)). */
function roff(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll('…', '...')
    .replace(/^([.'])/, '\\&$1')
}

function page(lines: readonly string[]): string {
  return `${lines.join('\n')}\n`
}
