/** How large compressed data may become: a bomb must be refused before it fills memory or disk. */
import { TsrunError } from '../errors.ts'
import { binarySize } from '../util/size.ts'

/**
 * Layers of real images inflate to two to four times their size, and hardly one to more than thirty; gzip reaches
 * 1032 times, zstd tens of thousands.
 */
const MAX_RATIO = 200
/** What is allowed at any ratio. */
const ALWAYS_ALLOWED = 1024 ** 3

export interface InflationBound {
  /** Size of the compressed data, when it is known before its end; else what has been read of it counts. */
  readonly packedSize?: number | undefined
  /** Bytes that the user allows, in place of the rule. */
  readonly maximum?: number | undefined
}

/** Name of the environment variable that holds {@link InflationBound.maximum}. */
export const MAX_INFLATED_VARIABLE = 'TSRUN_MAX_INFLATED'

/** Throws `invalid-argument` when `plain` bytes are more than may come of `packed`. */
export function checkInflation(
  plain: number,
  packed: number,
  { packedSize = packed, maximum = defaultMaximum(packedSize) }: InflationBound,
): void {
  if (plain <= maximum) return
  throw new TsrunError(
    'invalid-argument',
    `it inflates to more than ${binarySize(maximum)}, from ${binarySize(packedSize)}: it looks like a bomb`,
    { hint: `if it is meant to be so large, set ${MAX_INFLATED_VARIABLE} to a size such as 50g` },
  )
}

function defaultMaximum(packedSize: number): number {
  return Math.max(ALWAYS_ALLOWED, MAX_RATIO * packedSize)
}
