/** Finds the command that the first words of a command line name. */
import { TsrunError } from '../../errors.ts'
import { nearestWord } from '../../util/nearest-word.ts'
import {
  type CommandEntry,
  type CommandGroup,
  GROUPS,
  INTERNAL,
  SECTIONS,
} from './command-table.ts'

export type FoundCommand =
  | {
      readonly kind: 'command'
      /** All its words: `image ls`. */
      readonly name: string
      readonly entry: CommandEntry
      readonly args: readonly string[]
    }
  | { readonly kind: 'group'; readonly name: string; readonly group: CommandGroup }

/** The command that `words` begin with. Throws with the nearest name when there is none. */
export function findCommand(words: readonly string[]): FoundCommand {
  const [name = '', ...args] = words
  for (const commands of [...Object.values(SECTIONS), INTERNAL]) {
    const entry = own(commands, name)
    if (entry !== undefined) return { kind: 'command', name, entry, args }
  }
  const group = own(GROUPS, name)
  if (group !== undefined) return inGroup(name, group, args)
  throw unknownCommand(name, [
    ...Object.values(SECTIONS).flatMap(Object.keys),
    ...Object.keys(GROUPS),
  ])
}

function inGroup(groupName: string, group: CommandGroup, words: readonly string[]): FoundCommand {
  const [name, ...args] = words
  if (name === undefined || name === '--help' || name === '-h' || name === 'help')
    return { kind: 'group', name: groupName, group }
  const entry = own(group.commands, name)
  if (entry === undefined) throw unknownCommand(name, Object.keys(group.commands), groupName)
  return { kind: 'command', name: `${groupName} ${name}`, entry, args }
}

function unknownCommand(name: string, known: readonly string[], group?: string): TsrunError {
  if (name.startsWith('-')) {
    return new TsrunError(
      'invalid-argument',
      `cannot read the option "${name}": it is none of tsrun itself`,
      {
        hint: 'options of a command stand after its name, as in tsrun run -it; tsrun help lists all',
      },
    )
  }
  const prefix = group === undefined ? '' : `${group} `
  const nearest = nearestWord(name, known)
  const list = `tsrun ${group === undefined ? 'help' : `${group} --help`} lists them`
  return new TsrunError(
    'invalid-argument',
    `cannot run the command "${prefix}${name}": there is none of this name`,
    { hint: nearest === undefined ? list : `did you mean "${prefix}${nearest}"? ${list}` },
  )
}

function own<Value>(table: Readonly<Record<string, Value>>, name: string): Value | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined
}
