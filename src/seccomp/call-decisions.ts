/** Collects what a profile's rules say of the system calls of one architecture. */
import type { Condition } from './conditions.ts'
import { refuse } from './read-profile.ts'
import { addRule, levelKey, type RuleNode } from './rule-tree.ts'

/** An action for every call, or rules that look at its arguments. */
export type Verdict = number | readonly RuleNode[]

/** The part of a rule that matters when it meets others. */
export interface RuleSource {
  /** Where it stands in config.json. */
  readonly pointer: string
  readonly action: number
}

/**
 * Decisions by system call number. A rule without conditions ends the matter, whatever stood before
 * and comes after it; the first such rule counts. Conditional rules add up (see rule-tree.ts).
 */
export class CallDecisions {
  readonly #verdicts = new Map<number, number | RuleNode[]>()
  readonly #warnings: string[]

  constructor(warnings: string[]) {
    this.#warnings = warnings
  }

  /** Call `number`, named `name`, gets the rule's action when all `conditions` hold. */
  add(number: number, name: string, conditions: readonly Condition[], rule: RuleSource): void {
    const verdict = this.#verdicts.get(number)
    if (typeof verdict === 'number') {
      if (verdict !== rule.action) this.#warnHidden(name, rule)
      return
    }
    if (conditions.length === 0) this.#verdicts.set(number, rule.action)
    else if (verdict === undefined) this.#addConditional([], number, name, conditions, rule)
    else this.#addConditional(verdict, number, name, conditions, rule)
  }

  /** Equal sets of conditional rules come out as one value. */
  finish(): ReadonlyMap<number, Verdict> {
    const byKey = new Map<string, RuleNode[]>()
    for (const [number, verdict] of this.#verdicts) {
      if (typeof verdict === 'number') continue
      const key = levelKey(verdict)
      const first = byKey.get(key)
      if (first === undefined) byKey.set(key, verdict)
      else this.#verdicts.set(number, first)
    }
    return this.#verdicts
  }

  #addConditional(
    level: RuleNode[],
    number: number,
    name: string,
    conditions: readonly Condition[],
    rule: RuleSource,
  ): void {
    const result = addRule(level, conditions, rule.action)
    this.#verdicts.set(number, level)
    if (result === 'hidden') this.#warnHidden(name, rule)
    if (result === 'contradiction')
      refuse(rule.pointer, `an earlier rule gives ${name} another action for the same arguments`)
  }

  #warnHidden(name: string, { pointer }: RuleSource): void {
    this.#warnings.push(`${pointer}: another rule decides ${name} before this one can`)
  }
}
