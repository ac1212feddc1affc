/** Decides what a profile says of one system call: how its rules add up. */
import type { Condition } from './conditions.ts'
import { type ProfileRule, refuse } from './read-profile.ts'
import { addRule, type RuleNode } from './rule-tree.ts'

/** An action for every call, or rules that look at its arguments. */
export type Verdict = number | readonly RuleNode[]

/** A rule as it applies to one call: under these conditions, always when there are none. */
export interface AppliedRule {
  readonly rule: ProfileRule
  readonly conditions: readonly Condition[]
}

/**
 * What `rules`, in the profile's order, decide for call `name`; undefined when that is the default
 * action. A rule without conditions ends the matter, whatever stood before and comes after it; the
 * first such rule counts. Conditional rules add up (see rule-tree.ts).
 */
export function decideCall(
  name: string,
  rules: readonly AppliedRule[],
  defaultAction: number,
  warnings: string[],
): Verdict | undefined {
  const level: RuleNode[] = []
  let always: number | undefined
  for (const { rule, conditions } of rules) {
    // libseccomp cannot hold a rule that repeats the default action, and runc drops it.
    if (rule.action === defaultAction) continue
    if (always !== undefined) {
      if (always !== rule.action) warnings.push(hidden(name, rule))
    } else if (conditions.length === 0) {
      always = rule.action
    } else {
      const result = addRule(level, conditions, rule.action)
      if (result === 'hidden') warnings.push(hidden(name, rule))
      if (result === 'contradiction')
        refuse(rule.pointer, `an earlier rule gives ${name} another action for the same arguments`)
    }
  }
  return always ?? (level.length === 0 ? undefined : level)
}

function hidden(name: string, { pointer }: ProfileRule): string {
  return `${pointer}: another rule decides ${name} before this one can`
}
