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

/** Says that this command missed output of a container because nobody read what it wrote. */
export function warnOfMissed(name: string, bytes: number): void {
  process.stderr.write(
    `tsrun: warning: ${bytes} bytes of output are left out here, they were not read in time; tsrun logs ${name} has them\n`,
  )
}
