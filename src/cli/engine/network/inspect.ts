/** `tsrun network inspect`: everything about networks, in docker's shape. */
import { openEngine } from '../../../engine/engine.ts'
import { inspectNetwork } from '../../../engine/networks/list-networks.ts'
import type { CommandInput, EngineCommand } from '../command.ts'
import { INSPECT_OPTIONS, inspectNames } from '../inspect-names.ts'

export const command: EngineCommand = {
  usage: 'network inspect [options] NETWORK [NETWORK...]',
  describe: 'Show everything about networks as JSON.',
  options: INSPECT_OPTIONS,
  examples: [
    {
      does: 'Its subnets',
      line: 'network inspect -f "{{range .IPAM.Config}}{{.Subnet}} {{end}}" app',
    },
  ],
  positionals: { min: 1, max: Number.POSITIVE_INFINITY },
  run,
}

async function run(input: CommandInput): Promise<number> {
  const engine = openEngine(input.roots)
  await engine.sweep()
  return await inspectNames(input, (name) => inspectNetwork(engine, name))
}
