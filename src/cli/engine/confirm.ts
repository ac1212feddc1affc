/** Asks before something is removed for good. */
import { createInterface } from 'node:readline/promises'
import { TsrunError } from '../../errors.ts'

/** Whether the user says yes. Throws where nobody can be asked: nothing is removed by accident. */
export async function confirm(warning: string): Promise<boolean> {
  if (process.stdin.isTTY !== true) {
    throw new TsrunError(
      'failed-precondition',
      'cannot ask whether to remove it: standard input is no terminal',
      { hint: 'give --force' },
    )
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    const answer = await terminal.question(
      `WARNING! ${warning}\nAre you sure you want to continue? [y/N] `,
    )
    return /^y(?:es)?$/i.test(answer.trim())
  } finally {
    terminal.close()
  }
}
