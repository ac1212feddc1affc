/** The host's ps(1), filtered to some processes: what runc's `ps` prints. */
import { spawnSync } from 'node:child_process'
import { TsrunError } from '../errors.ts'

/** The lines of `ps <options>` (default `-ef`) for `pids`, with the head line. */
export function hostProcessTable(pids: readonly number[], options: readonly string[]): string {
  const wanted = new Set(pids.map(String))
  const result = spawnSync('ps', options.length === 0 ? ['-ef'] : options, { encoding: 'utf8' })
  if (result.error !== undefined) {
    throw new TsrunError('not-found', 'cannot run ps', {
      cause: result.error,
      hint: 'install procps, or use --format json',
    })
  }
  const [head = '', ...lines] = result.stdout.split('\n')
  const column = head.trim().split(/\s+/).indexOf('PID')
  if (column < 0) {
    throw new TsrunError('invalid-argument', 'cannot find a PID column in the output of ps', {
      hint: 'give ps options that print one',
    })
  }
  const shown = lines.filter((line) => wanted.has(line.trim().split(/\s+/)[column] ?? ''))
  return `${[head, ...shown].join('\n')}\n`
}
