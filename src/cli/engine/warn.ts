/** Warnings of engine commands: what went wrong without making the command fail. */
import { describeError } from '../../errors.ts'

export function warn(problem: unknown): void {
  process.stderr.write(`tsrun: warning: ${describeError(problem)}\n`)
}
