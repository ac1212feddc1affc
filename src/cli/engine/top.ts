/** `tsrun top`: the processes of a container, as ps(1) of the host shows them. */
import { containerProcessTable } from '../../engine/container-processes.ts'
import { openEngine } from '../../engine/engine.ts'
import type { CommandInput, EngineCommand } from './command.ts'
import { print } from './print.ts'

export const command: EngineCommand = {
  usage: 'top CONTAINER [PS OPTIONS]',
  describe: 'Show the processes of a running container with the ps of the host (-ef by default).',
  options: {},
  examples: [
    { does: 'The processes with the columns that ps can show', line: 'top web -o pid,user,args' },
  ],
  positionals: { min: 1, max: Number.POSITIVE_INFINITY },
  optionsFirst: true,
  run,
}

async function run({ positionals, roots }: CommandInput): Promise<number> {
  const engine = openEngine(roots)
  await engine.sweep()
  const [container = '', ...options] = positionals
  print(containerProcessTable(engine, engine.containers.find(container), options))
  return 0
}
