/** process.rlimits (prlimit(2)). */
import { rlimitNumber, rlimitValue } from '../../linux/rlimits.ts'
import type { ProcessContext } from './create-context.ts'

export function emitRlimits(c: ProcessContext): void {
  ;(c.process.rlimits ?? []).forEach(({ type, soft, hard }, i) => {
    c.b.at(`/process/rlimits/${i}`, () => {
      const limits = c.b.words([rlimitValue(soft), rlimitValue(hard)])
      c.b.run('prlimit64', [0, rlimitNumber(type) ?? -1, limits, 0], {
        note: `${type} ${soft}:${hard}`,
      })
    })
  })
}
