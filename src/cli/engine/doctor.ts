/** `tsrun doctor`: what this machine has of what tsrun uses, with remedies. */
import { examineHost } from '../../engine/doctor/examine.ts'
import { readHost } from '../../engine/doctor/host-reader.ts'
import type { Verdict } from '../../engine/doctor/verdict.ts'
import { type Colour, painterFor } from '../colour.ts'
import type { CommandInput, EngineCommand } from './command.ts'
import { escapeLines } from './print.ts'

const COLOURS: Readonly<Record<Verdict['status'], Colour>> = {
  ok: 'green',
  warn: 'yellow',
  fail: 'red',
}

export const command: EngineCommand = {
  usage: 'doctor [options]',
  describe:
    'Look at this machine with the eyes of tsrun: kernel, cgroups, ids, security modules, file systems, network, programs and limits. Ends with 1 when a container cannot run.',
  options: {
    json: { type: 'flag', describe: 'an array of objects instead of lines' },
  },
  examples: [
    { does: 'Everything', line: 'doctor' },
    { does: 'For a program', line: 'doctor --json' },
  ],
  positionals: { min: 0, max: 0 },
  worksWithoutRoot: () => true,
  run,
}

async function run({ options, roots }: CommandInput): Promise<number> {
  const verdicts = examineHost(readHost(roots.dataRoot))
  process.stdout.write(
    options.flag('json') ? `${JSON.stringify(verdicts, undefined, 2)}\n` : linesOf(verdicts),
  )
  return verdicts.some(({ status }) => status === 'fail') ? 1 : 0
}

function linesOf(verdicts: readonly Verdict[]): string {
  const paint = painterFor(process.stdout, process.env)
  const width = Math.max(...verdicts.map(({ check }) => check.length))
  return verdicts
    .map(({ check, status, detail, remedy }) => {
      const head = `${paint(COLOURS[status], status.padEnd(4))}  ${check.padEnd(width)}  ${escapeLines(detail)}\n`
      return remedy === undefined ? head : `${head}${' '.repeat(width + 8)}remedy: ${remedy}\n`
    })
    .join('')
}
