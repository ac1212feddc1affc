/** All commands that people call, with their tables: what completions and man pages are made of. */
import type { EngineCommand } from './command.ts'
import { GROUPS, SECTIONS } from './command-table.ts'

export interface NamedCommand {
  /** All its words: `image ls`. */
  readonly name: string
  readonly describe: string
  readonly command: EngineCommand
}

/** Loads the file of each. */
export async function everyCommand(): Promise<NamedCommand[]> {
  const tables = [
    ...Object.values(SECTIONS).map((commands) => ({ prefix: '', commands })),
    ...Object.entries(GROUPS).map(([group, { commands }]) => ({ prefix: `${group} `, commands })),
  ]
  const named: NamedCommand[] = []
  for (const { prefix, commands } of tables) {
    for (const [name, { describe, hidden, load }] of Object.entries(commands)) {
      if (hidden === true) continue
      const { command } = await load()
      named.push({ name: `${prefix}${name}`, describe, command })
    }
  }
  return named
}
