/** `tsrun system check`: verifies the store and repairs it. */
import { checkStore } from '../../engine/check/check-store.ts'
import { type Finding, FORCED_REMEDY } from '../../engine/check/finding.ts'
import { openEngine } from '../../engine/engine.ts'
import { describeError } from '../../errors.ts'
import { formatRows, type Row } from '../output.ts'
import type { CommandInput, EngineCommand } from './command.ts'
import { escapeLines } from './print.ts'

export const command: EngineCommand = {
  usage: 'system check [options]',
  describe:
    'Verify the store: every blob by its digest, images, layers, containers, and what the kernel still holds of them. Each finding is one line with its remedy; --repair puts right what tsrun can. Ends with 1 when something is left to do.',
  options: {
    repair: { type: 'flag', alias: 'r', describe: 'put right whatever loses nothing' },
    force: {
      type: 'flag',
      alias: 'f',
      describe: 'with --repair: remove damaged containers and layers too',
    },
    quick: { type: 'flag', alias: 'q', describe: 'do not read the blobs' },
    format: { type: 'string', describe: 'json, or a Go template for each finding', value: 'text' },
  },
  examples: [
    { does: 'Is anything wrong', line: 'system check' },
    { does: 'Put it right', line: 'system check --repair' },
  ],
  positionals: { min: 0, max: 0 },
  run,
}

async function run({ options, roots }: CommandInput): Promise<number> {
  const engine = openEngine(roots)
  const format = options.string('format')
  const repair = { wanted: options.flag('repair'), force: options.flag('force') }
  const count = { found: 0, left: 0 }
  for await (const finding of checkStore(engine, { quick: options.flag('quick') })) {
    const outcome = await repairIfWanted(finding, repair)
    count.found++
    if (!outcome.repaired) count.left++
    process.stdout.write(
      format === undefined ? lineOf(finding, outcome) : rowOf(finding, outcome, format),
    )
  }
  if (format === undefined) process.stdout.write(`${summary(count)}\n`)
  return count.left === 0 ? 0 : 1
}

interface Outcome {
  readonly repaired: boolean
  /** What was done, or what a person can do. */
  readonly text: string
}

async function repairIfWanted(
  { repair, loses, remedy }: Finding,
  { wanted, force }: { wanted: boolean; force: boolean },
): Promise<Outcome> {
  if (!wanted || repair === undefined) return { repaired: false, text: remedy }
  if (loses !== undefined && !force)
    return { repaired: false, text: `${FORCED_REMEDY}, which loses this: ${loses}` }
  try {
    return { repaired: true, text: await repair() }
  } catch (error) {
    return { repaired: false, text: `cannot repair it: ${describeError(error)}` }
  }
}

function lineOf({ kind, object, problem }: Finding, { repaired, text }: Outcome): string {
  return `${escapeLines(`${kind} ${object}: ${problem}; ${repaired ? 'repaired' : 'remedy'}: ${text}`)}\n`
}

function rowOf(
  { kind, object, problem, remedy }: Finding,
  outcome: Outcome,
  format: string,
): string {
  const row: Row = {
    Kind: kind,
    Object: object,
    Problem: problem,
    Remedy: remedy,
    Repaired: outcome.repaired,
    Outcome: outcome.text,
  }
  return formatRows([row], { columns: {}, table: [], key: 'Object' }, { format })
}

function summary({ found, left }: { found: number; left: number }): string {
  if (found === 0) return 'Nothing found: the store is whole.'
  const problems = found === 1 ? '1 problem' : `${found} problems`
  return left === 0 ? `${problems}, all repaired.` : `${problems}, ${found - left} repaired.`
}
