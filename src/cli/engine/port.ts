/** `tsrun port`: where the ports of a container are reached on the host. */
import { openEngine } from '../../engine/engine.ts'
import { publishedAt } from '../../engine/networks/published-at.ts'
import type { CommandInput, EngineCommand } from './command.ts'
import { print } from './print.ts'

export const command: EngineCommand = {
  usage: 'port CONTAINER [PORT[/PROTOCOL]]',
  describe: 'Show where the published ports of a container are reached on the host.',
  options: {},
  examples: [
    { does: 'All of them', line: 'port web' },
    { does: 'One', line: 'port web 53/udp' },
  ],
  positionals: { min: 1, max: 2 },
  run,
}

async function run({ positionals, roots }: CommandInput): Promise<number> {
  const engine = openEngine(roots)
  await engine.sweep()
  const [container = '', port] = positionals
  const lines = publishedAt(engine, engine.containers.find(container), port)
  print(lines.map((line) => `${line}\n`).join(''))
  return 0
}
