/** `tsrun restart`: stops containers and starts them again. */
import { openEngine } from '../../engine/engine.ts'
import { restartContainer } from '../../engine/start-container.ts'
import type { CommandInput, EngineCommand } from './command.ts'
import { forEachContainer } from './each-container.ts'
import { STOP_OPTIONS, stopOptionsOf } from './stop.ts'
import { warn } from './warn.ts'

export const command: EngineCommand = {
  usage: 'restart [options] CONTAINER [CONTAINER...]',
  describe: 'Stop containers, when they run, and start them again.',
  options: STOP_OPTIONS,
  examples: [{ does: 'Give it a minute to end', line: 'restart -t 60 web' }],
  positionals: { min: 1, max: Number.POSITIVE_INFINITY },
  run,
}

async function run({ options, positionals, roots }: CommandInput): Promise<number> {
  const stop = stopOptionsOf(options)
  const engine = openEngine(roots)
  await engine.sweep()
  return await forEachContainer(positionals, async (name) => {
    await restartContainer(engine, engine.containers.find(name), stop, { warn })
    return name
  })
}
