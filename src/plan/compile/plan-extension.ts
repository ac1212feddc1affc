/** Where a plan in two parts waits for the second: Node compiles it while the kernel is busy with the first. */
import type { Slot } from '../instruction.ts'
import type { PlanBuilder } from '../plan-builder.ts'
import { emitAwaitAnswer } from './report-records.ts'

/** Waits for Node to say that `plan` is whole, and goes on in it; ends the process when Node is gone. */
export function emitExtend(b: PlanBuilder, report: Slot, plan: Slot): void {
  b.at('plan', () => {
    emitAwaitAnswer(b, report)
    b.extend(plan)
    b.run('close', [plan])
  })
}
