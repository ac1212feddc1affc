/** `tsrun explain`: the system calls that a start would make. */
import { openEngine } from '../../engine/engine.ts'
import { explainBundle, explainRun } from '../../engine/explain-run.ts'
import { TsrunError } from '../../errors.ts'
import type { CommandInput, EngineCommand } from './command.ts'
import { parseCommand } from './parse-command.ts'
import { command as runCommand } from './run.ts'
import { runRequestOf } from './run-options.ts'

export const command: EngineCommand = {
  usage:
    'explain [--seccomp] run [options] IMAGE [COMMAND] [ARG...], or explain [--seccomp] --bundle PATH',
  describe: 'Show the system calls that a start would make, each with its origin in config.json.',
  options: {
    bundle: { type: 'string', alias: 'b', describe: 'of this OCI bundle', value: 'path' },
    seccomp: { type: 'flag', describe: 'the seccomp filter too, one instruction a line' },
  },
  examples: [{ does: 'What a start would do', line: 'explain run --rm alpine true' }],
  positionals: { min: 0, max: Number.POSITIVE_INFINITY },
  optionsFirst: true,
  worksWithoutRoot: (options) => options.has('bundle'),
  run,
}

async function run({ options, positionals, roots }: CommandInput): Promise<number> {
  const bundle = options.string('bundle')
  const seccomp = options.flag('seccomp')
  const [verb, ...args] = positionals
  if (bundle !== undefined && verb === undefined) {
    process.stdout.write(await explainBundle(bundle, seccomp))
    return 0
  }
  if (verb !== 'run' || bundle !== undefined) {
    throw new TsrunError(
      'invalid-argument',
      `cannot explain ${verb === undefined ? 'nothing' : `"${verb}"`}`,
      {
        hint: `usage: tsrun ${command.usage}`,
      },
    )
  }
  const parsed = await parseCommand(runCommand, args)
  if ('help' in parsed) {
    process.stdout.write(parsed.help)
    return 0
  }
  const request = runRequestOf(parsed.options, parsed.positionals)
  const engine = openEngine(roots)
  await engine.sweep()
  const workingDirectory = process.cwd()
  process.stdout.write(await explainRun(engine, request, { workingDirectory, seccomp }))
  return 0
}
