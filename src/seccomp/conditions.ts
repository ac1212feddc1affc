/** One condition on one argument of a system call, as two 32-bit halves: BPF knows no more. */

export type Comparison = 'eq' | 'ne' | 'gt' | 'ge' | 'lt' | 'le'

export interface Condition {
  readonly argument: number
  readonly comparison: Comparison
  /** Bits that count. Zero in the upper half: only the lower half is compared. */
  readonly maskHigh: number
  readonly maskLow: number
  readonly high: number
  readonly low: number
}

/** SCMP_CMP_MASKED_EQ is `eq` with a mask. */
export const OPERATORS: Readonly<Record<string, Comparison>> = {
  SCMP_CMP_NE: 'ne',
  SCMP_CMP_LT: 'lt',
  SCMP_CMP_LE: 'le',
  SCMP_CMP_EQ: 'eq',
  SCMP_CMP_GE: 'ge',
  SCMP_CMP_GT: 'gt',
  SCMP_CMP_MASKED_EQ: 'eq',
}

export function isSameCondition(a: Condition, b: Condition): boolean {
  return (
    a.argument === b.argument &&
    a.comparison === b.comparison &&
    a.low === b.low &&
    a.high === b.high &&
    a.maskLow === b.maskLow &&
    a.maskHigh === b.maskHigh
  )
}

/**
 * The conditions as an ABI of 32-bit arguments sees them: upper halves are cut off, as libseccomp
 * cuts them. A mask of the upper half alone then says nothing and falls away.
 */
export function narrowConditions(conditions: readonly Condition[]): readonly Condition[] {
  return conditions
    .filter(({ maskLow }) => maskLow !== 0)
    .map((condition) => ({ ...condition, maskHigh: 0, high: 0 }))
}

/** Whether `a` is tested after `b` when both could decide; libseccomp's order, see rule-tree.ts. */
export function comesAfter(a: Condition, b: Condition): boolean {
  if (a.argument !== b.argument) return a.argument < b.argument
  const [rankA, rankB] = [RANKS[a.comparison], RANKS[b.comparison]]
  if (rankA !== rankB) return rankA < rankB
  const difference = a.high - b.high || a.low - b.low
  return rankA === RANKS.lt ? difference > 0 : difference < 0
}

const RANKS: Readonly<Record<Comparison, number>> = { eq: 3, ne: 3, lt: 2, le: 2, gt: 1, ge: 1 }
