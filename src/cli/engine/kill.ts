/** `tsrun kill`: sends a signal to containers. */
import { openEngine } from '../../engine/engine.ts'
import { signalContainer, signalNumber } from '../../engine/signal-container.ts'
import type { CommandInput, EngineCommand } from './command.ts'
import { forEachContainer } from './each-container.ts'

export const command: EngineCommand = {
  usage: 'kill [options] CONTAINER [CONTAINER...]',
  describe: 'Send a signal to the first process of running containers.',
  options: {
    signal: { type: 'string', alias: 's', describe: 'name or number', value: 'KILL' },
  },
  examples: [{ does: 'Let a server read its configuration again', line: 'kill -s HUP web' }],
  positionals: { min: 1, max: Number.POSITIVE_INFINITY },
  run,
}

async function run({ options, positionals, roots }: CommandInput): Promise<number> {
  const signal = signalNumber(options.string('signal') ?? 'KILL')
  const engine = openEngine(roots)
  await engine.sweep()
  return forEachContainer(positionals, async (name) => {
    signalContainer(engine, engine.containers.find(name), signal)
    return name
  })
}
