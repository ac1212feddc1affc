/** The user's own limit for what compressed data may become. */
import { MAX_INFLATED_VARIABLE } from '../archive/inflation-bound.ts'
import { TsrunError } from '../errors.ts'
import { parseSize } from '../util/size.ts'

/** Bytes; undefined where the user has set none. */
export function maxInflatedOf(env: NodeJS.ProcessEnv = process.env): number | undefined {
  const text = env[MAX_INFLATED_VARIABLE] ?? ''
  if (text === '') return undefined
  const size = parseSize(text)
  if (size !== undefined) return size
  throw new TsrunError(
    'invalid-argument',
    `cannot use ${MAX_INFLATED_VARIABLE}=${JSON.stringify(text)}: it is no size`,
    { hint: 'write it as 50g or 500m' },
  )
}
