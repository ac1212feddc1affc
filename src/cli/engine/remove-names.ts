/** What `network rm` and `volume rm` have in common: with --force a missing one is no error. */
import { type Engine, openEngine } from '../../engine/engine.ts'
import { TsrunError } from '../../errors.ts'
import type { CommandInput, OptionSpec } from './command.ts'
import { forEachContainer } from './each-container.ts'

export const REMOVE_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  force: { type: 'flag', alias: 'f', describe: 'a missing one is no error' },
}

/** Removes each and prints its name. */
export async function removeNames(
  { options, positionals, roots }: CommandInput,
  remove: (engine: Engine, name: string) => Promise<unknown>,
): Promise<number> {
  const engine = openEngine(roots)
  await engine.sweep()
  return await forEachContainer(positionals, async (name) => {
    try {
      await remove(engine, name)
    } catch (error) {
      const isMissing = error instanceof TsrunError && error.kind === 'not-found'
      if (!isMissing || !options.flag('force')) throw error
    }
    return name
  })
}
