/** `tsrun rm`: removes containers. */
import { openEngine } from '../../engine/engine.ts'
import { removeContainer } from '../../engine/remove-container.ts'
import { TsrunError } from '../../errors.ts'
import type { CommandInput, EngineCommand } from './command.ts'
import { forEachContainer } from './each-container.ts'

export const command: EngineCommand = {
  usage: 'rm [options] CONTAINER [CONTAINER...]',
  describe: 'Remove containers that do not run.',
  options: {
    force: {
      type: 'flag',
      alias: 'f',
      describe: 'kill running ones first; a missing one is no error',
    },
    volumes: {
      type: 'flag',
      alias: 'v',
      describe: 'their anonymous volumes too',
    },
  },
  examples: [{ does: 'Also when it runs', line: 'rm -f web' }],
  positionals: { min: 1, max: Number.POSITIVE_INFINITY },
  run,
}

async function run({ options, positionals, roots }: CommandInput): Promise<number> {
  const engine = openEngine(roots)
  await engine.sweep()
  const force = options.flag('force')
  const volumes = options.flag('volumes') ? 'remove' : 'keep'
  // As docker: told, but no failure.
  const isMissing = (reason: unknown) => reason instanceof TsrunError && reason.kind === 'not-found'
  return await forEachContainer(
    positionals,
    async (name) => {
      await removeContainer(engine, engine.containers.find(name), { force, volumes })
      return name
    },
    (reason) => !(force && isMissing(reason)),
  )
}
