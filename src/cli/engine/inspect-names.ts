/** What the inspect commands have in common: each name is looked at, what is found is printed, failures are told after it. */
import { describeError } from '../../errors.ts'
import { formatObjects } from '../output.ts'
import type { CommandInput, OptionSpec } from './command.ts'
import { print } from './print.ts'

export const INSPECT_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  format: { type: 'string', alias: 'f', describe: 'json or a Go template', value: 'text' },
}

/** Prints what `inspect` returns for each name, as JSON or by the template of --format. */
export async function inspectNames(
  { positionals, options }: CommandInput,
  inspect: (name: string) => unknown,
): Promise<number> {
  const found: unknown[] = []
  const failures: unknown[] = []
  for (const name of positionals) {
    try {
      found.push(await inspect(name))
    } catch (error) {
      failures.push(error)
    }
  }
  print(formatObjects(found, options.string('format')))
  for (const failure of failures) process.stderr.write(`tsrun: ${describeError(failure)}\n`)
  return failures.length > 0 ? 1 : 0
}
