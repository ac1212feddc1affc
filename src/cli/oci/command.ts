/** What a verb of the OCI command line is made of. */
import type { FlagTable, ParsedArguments } from './arguments.ts'

/** The global flags, decoded. */
export interface OciGlobals {
  readonly root: string
  /** The root is below $XDG_RUNTIME_DIR. */
  readonly stickyRoot: boolean
  readonly debug: boolean
  readonly systemdCgroup: boolean
}

export interface OciCommand {
  readonly usage: string
  readonly description: string
  readonly table: FlagTable
  /** Runs the command; the result is the exit status. */
  run(args: ParsedArguments, globals: OciGlobals): Promise<number>
}

/** Text for standard output; nothing else may be printed there. */
export function print(text: string): void {
  process.stdout.write(text)
}

/** The help of one command. */
export function helpText(name: string, command: OciCommand): string {
  const flags = Object.entries(command.table.flags).map(
    ([flag, kind]) => `   --${flag}${kind === 'boolean' ? '' : ' value'}\n`,
  )
  return `NAME:\n   tsrun ${name} - ${command.description}\n\nUSAGE:\n   tsrun ${name} ${command.usage}\n\nOPTIONS:\n${flags.join('')}   --help\n`
}
