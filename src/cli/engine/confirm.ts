/** Asks before something is removed for good. */
import { readSync } from 'node:fs'
import { TsrunError } from '../../errors.ts'

/** Prints the warning and reads one line; true only for a clear yes. Throws where nobody can answer. */
export function confirm(warning: string, command: string): boolean {
  process.stdout.write(`${warning}\nAre you sure you want to continue? [y/N] `)
  const answer = readLine()
  if (answer === undefined) {
    throw new TsrunError(
      'failed-precondition',
      `cannot run ${command} without an answer: standard input has ended`,
      { hint: 'give -f to go on without a question' },
    )
  }
  return /^\s*y(es)?\s*$/i.test(answer)
}

// Byte by byte: what follows the line is not ours.
function readLine(): string | undefined {
  const bytes: number[] = []
  const byte = Buffer.alloc(1)
  while (bytes.length < 1024) {
    const count = readSync(0, byte, 0, 1, null)
    if (count === 0) return bytes.length === 0 ? undefined : Buffer.from(bytes).toString('utf8')
    if (byte[0] === 0x0a) break
    bytes.push(byte[0] ?? 0)
  }
  return Buffer.from(bytes).toString('utf8')
}
