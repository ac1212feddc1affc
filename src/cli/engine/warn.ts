/** Warnings of engine commands: what went wrong without making the command fail. */
import { describeError, printable } from '../../errors.ts'
import { fromByteText } from '../../util/byte-text.ts'

export function warn(problem: unknown): void {
  process.stderr.write(`tsrun: warning: ${describeError(problem)}\n`)
}

/** Of a file that a tar or a copy cannot hold. */
export function warnOfSkipped(path: string, reason: string): void {
  const shown = printable(fromByteText(path))
  process.stderr.write(`tsrun: warning: "${shown}" was left out: ${reason}\n`)
}
