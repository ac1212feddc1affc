/** What values look like in a Go template: as text, as JSON, as a condition. */

/** What Go prints for a value. */
export function printValue(value: unknown): string {
  return value === undefined || value === null ? '<no value>' : printPart(value)
}

// Inside of others nothing is `<nil>`.
function printPart(value: unknown): string {
  if (value === undefined || value === null) return '<nil>'
  if (Array.isArray(value)) return `[${value.map(printPart).join(' ')}]`
  if (value instanceof Map) {
    const entries = [...value].sort(([a], [b]) => (String(a) < String(b) ? -1 : 1))
    return `map[${entries.map(([key, item]) => `${key}:${printPart(item)}`).join(' ')}]`
  }
  if (typeof value === 'object') return `{${Object.values(value).map(printPart).join(' ')}}`
  return String(value)
}

/** JSON on one line; Maps become objects. */
export function toJson(value: unknown, indent?: number): string {
  const replaceMaps = (_key: string, item: unknown) =>
    item instanceof Map ? Object.fromEntries(item) : item
  return JSON.stringify(value, replaceMaps, indent) ?? 'null'
}

/** Go's idea of truth: not the zero value, not empty. */
export function isTruthy(value: unknown): boolean {
  if (value instanceof Map) return value.size > 0
  if (Array.isArray(value)) return value.length > 0
  if (typeof value === 'object' && value !== null) return Object.keys(value).length > 0
  return Boolean(value)
}
