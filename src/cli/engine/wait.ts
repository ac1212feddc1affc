/** `tsrun wait`: waits until containers have ended and prints their exit codes. */
import { openEngine } from '../../engine/engine.ts'
import { waitForExit } from '../../engine/wait-container.ts'
import type { CommandInput, EngineCommand } from './command.ts'
import { forEachContainer } from './each-container.ts'

export const command: EngineCommand = {
  usage: 'wait CONTAINER [CONTAINER...]',
  describe: 'Wait until containers have ended and print their exit codes.',
  options: {},
  examples: [{ does: 'The exit code of a container', line: 'wait job' }],
  positionals: { min: 1, max: Number.POSITIVE_INFINITY },
  run,
}

async function run({ positionals, roots }: CommandInput): Promise<number> {
  const engine = openEngine(roots)
  await engine.sweep()
  return forEachContainer(positionals, async (name) => {
    const id = engine.containers.find(name)
    return String(await waitForExit(engine.containers, id))
  })
}
