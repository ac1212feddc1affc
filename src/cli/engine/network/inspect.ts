/** `tsrun network inspect`: everything about networks, in docker's shape. */
import { openEngine } from '../../../engine/engine.ts'
import { inspectNetwork } from '../../../engine/networks/list-networks.ts'
import { describeError } from '../../../errors.ts'
import { formatObjects } from '../../output.ts'
import type { CommandInput, EngineCommand } from '../command.ts'
import { print } from '../print.ts'

export const command: EngineCommand = {
  usage: 'network inspect [options] NETWORK [NETWORK...]',
  describe: 'Show everything about networks as JSON.',
  options: {
    format: { type: 'string', alias: 'f', describe: 'json or a Go template', value: 'text' },
  },
  examples: [
    {
      does: 'Its subnets',
      line: 'network inspect -f "{{range .IPAM.Config}}{{.Subnet}} {{end}}" app',
    },
  ],
  positionals: { min: 1, max: Number.POSITIVE_INFINITY },
  run,
}

async function run({ options, positionals, roots }: CommandInput): Promise<number> {
  const engine = openEngine(roots)
  await engine.sweep()
  const found: unknown[] = []
  const failures: unknown[] = []
  for (const name of positionals) {
    try {
      found.push(inspectNetwork(engine, name))
    } catch (error) {
      failures.push(error)
    }
  }
  print(formatObjects(found, options.string('format')))
  for (const failure of failures) process.stderr.write(`tsrun: ${describeError(failure)}\n`)
  return failures.length > 0 ? 1 : 0
}
