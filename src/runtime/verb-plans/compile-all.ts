/** All plans of whole verbs, for the build: .ci/verb-plans.mjs puts them into the launcher. */
import type { Architecture } from '../../plan/plan.ts'
import { encodePlan } from '../../plan/wire-format.ts'
import { compileDeletePlan } from './delete-plan.ts'
import { compileStartPlan } from './start-plan.ts'

/** Images by the names of the files that native-bindings/launch-plans.S takes in. */
export function encodeVerbPlans(architecture: Architecture): ReadonlyMap<string, Uint8Array> {
  return new Map([
    ['start.plan', encodePlan(compileStartPlan(architecture))],
    ['delete.plan', encodePlan(compileDeletePlan(architecture, false))],
    ['delete-force.plan', encodePlan(compileDeletePlan(architecture, true))],
  ])
}
