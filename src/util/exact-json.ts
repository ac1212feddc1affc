/** JSON with 64-bit numbers: kernel counters do not fit in a double. */

/** As JSON.stringify without spaces; a bigint becomes a number with all its digits. */
export function stringifyExact(value: unknown): string {
  if (typeof value === 'bigint') return value.toString()
  if (Array.isArray(value)) return `[${value.map(stringifyExact).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .map(([key, member]) => `${JSON.stringify(key)}:${stringifyExact(member)}`)
  return `{${members.join(',')}}`
}
