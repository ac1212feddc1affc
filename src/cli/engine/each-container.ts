/** Commands on several containers: each is tried, each failure is told, the exit code says whether one failed. */
import { type Engine, openEngine } from '../../engine/engine.ts'
import { describeError } from '../../errors.ts'
import type { CommandInput } from './command.ts'

/**
 * Runs `act` for each name at the same time and prints what it resolves to, in order. What went wrong is told;
 * it makes the command fail when `isFailure` says so.
 */
export async function forEachContainer(
  names: readonly string[],
  act: (name: string) => Promise<string>,
  isFailure: (reason: unknown) => boolean = () => true,
): Promise<number> {
  const results = await Promise.allSettled(names.map(act))
  let failed = false
  for (const result of results) {
    if (result.status === 'fulfilled') {
      process.stdout.write(`${result.value}\n`)
      continue
    }
    failed ||= isFailure(result.reason)
    process.stderr.write(`tsrun: ${describeError(result.reason)}\n`)
  }
  return failed ? 1 : 0
}

/** Runs `act` on each container that the command names, and prints the names. */
export async function actOnContainers(
  { positionals, roots }: CommandInput,
  act: (engine: Engine, id: string) => Promise<void>,
): Promise<number> {
  const engine = openEngine(roots)
  await engine.sweep()
  return await forEachContainer(positionals, async (name) => {
    await act(engine, engine.containers.find(name))
    return name
  })
}
