/** Moments as docker's --since and --until take them. */
import { TsrunError } from '../../errors.ts'
import { parseDuration } from '../../util/duration.ts'

/** RFC 3339 with nanoseconds for an RFC 3339 time or date, seconds since 1970, or a duration before `now`. */
export function parseMoment(
  option: string,
  text: string | undefined,
  now: number,
): string | undefined {
  if (text === undefined) return undefined
  const unix = /^(\d{1,11})(?:\.(\d{1,9}))?$/.exec(text)
  if (unix !== null) return format(Number(unix[1]) * 1000, (unix[2] ?? '').padEnd(9, '0'))
  const duration = parseDuration(text)
  if (duration !== undefined && duration >= 0) return format(now - duration)
  const fraction = /\.(\d{1,9})/.exec(text)?.[1]
  const time = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text.replace(/\.\d+/, '')) : Number.NaN
  if (!Number.isNaN(time)) return format(time, fraction?.padEnd(9, '0'))
  throw new TsrunError(
    'invalid-argument',
    `cannot use --${option} "${text}": it must be an RFC 3339 time, seconds since 1970 or a duration such as 10m`,
  )
}

function format(milliseconds: number, nanoseconds?: string): string {
  const text = new Date(milliseconds).toISOString()
  return nanoseconds === undefined
    ? text.replace('Z', '000000Z')
    : text.replace(/\.\d+Z$/, `.${nanoseconds}Z`)
}
