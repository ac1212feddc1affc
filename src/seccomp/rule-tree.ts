/** The conditional rules of one system call, merged so that the order of tests is libseccomp's. */
import { type Condition, comesAfter, isSameCondition } from './conditions.ts'

/**
 * Nodes of one level are alternatives, tested in order; below a node stands what is tested next.
 *
 * When rules with different actions overlap, the order decides, and profiles were written against
 * runc, that is libseccomp's src/db.c: the condition on the highest argument first; then
 * equalities, then upper bounds, then lower bounds; then the more special value; then the rule
 * that came first. A rule whose conditions another rule extends hides the longer one.
 */
export interface RuleNode {
  readonly condition: Condition
  /** Absent while more conditions stand below. */
  action: number | undefined
  readonly below: RuleNode[]
}

export type AddResult = 'added' | 'hidden' | 'contradiction'

/** Adds "when all `conditions` hold, `action`"; there is at least one condition. */
export function addRule(
  level: RuleNode[],
  conditions: readonly Condition[],
  action: number,
): AddResult {
  const condition = conditions[0]
  const rest = conditions.slice(1)
  if (condition === undefined) return 'added'
  const same = level.find((node) => isSameCondition(node.condition, condition))
  if (same === undefined) {
    insert(level, makeBranch(condition, rest, action))
    return 'added'
  }
  if (rest.length > 0) {
    if (same.action === undefined) return addRule(same.below, rest, action)
    return same.action === action ? 'added' : 'hidden'
  }
  if (!leadsOnlyTo(same, action)) return 'contradiction'
  same.action = action
  same.below.length = 0
  return 'added'
}

/** A text that is equal for equal levels. */
export function levelKey(level: readonly RuleNode[]): string {
  return JSON.stringify(level)
}

function makeBranch(condition: Condition, rest: readonly Condition[], action: number): RuleNode {
  const next = rest[0]
  if (next === undefined) return { condition, action, below: [] }
  return { condition, action: undefined, below: [makeBranch(next, rest.slice(1), action)] }
}

function insert(level: RuleNode[], node: RuleNode): void {
  const at = level.findIndex((other) => comesAfter(other.condition, node.condition))
  level.splice(at === -1 ? level.length : at, 0, node)
}

function leadsOnlyTo(node: RuleNode, action: number): boolean {
  if (node.action !== undefined) return node.action === action
  return node.below.every((child) => leadsOnlyTo(child, action))
}
