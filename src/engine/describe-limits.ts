/** The limits that a container ran into, for people. */
import { describeReachedLimit, type ReachedLimit } from '../runtime/limits-reached.ts'

/** One clause each, joined; empty for none. */
export function describeLimits(limits: readonly ReachedLimit[]): string {
  return limits.map(describeReachedLimit).join('; ')
}
