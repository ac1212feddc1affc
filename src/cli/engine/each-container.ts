/** Commands on several containers: each is tried, each failure is told, the exit code says whether one failed. */
import { describeError } from '../../errors.ts'

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
