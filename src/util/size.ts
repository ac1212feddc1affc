/** Sizes as docker takes them (`512m`, 1024-based) and shows them (`1.2MB`, 1000-based). */

const BINARY: Readonly<Record<string, number>> = {
  '': 1,
  k: 1024,
  m: 1024 ** 2,
  g: 1024 ** 3,
  t: 1024 ** 4,
  p: 1024 ** 5,
}
const BINARY_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB']
const DECIMAL_UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB']

/**
 * Bytes of a size such as `512m`, `1.5g`, `64kb` or `100` (units b, k, m, g, t, p, each also with
 * `b` or `ib`, any case, powers of 1024); undefined when it is not one or is above 2^53.
 */
export function parseSize(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?|\.\d+) ?([kmgtp]?)(?:i?b)?$/i.exec(text)
  if (match === null) return undefined
  const unit = BINARY[(match[2] ?? '').toLowerCase()]
  const bytes = Math.floor(Number(match[1]) * (unit ?? Number.NaN))
  return Number.isSafeInteger(bytes) ? bytes : undefined
}

/** `1.23MiB`: up to four significant digits, powers of 1024, as docker shows memory. */
export function binarySize(bytes: number): string {
  const unit = Math.min(BINARY_UNITS.length - 1, Math.floor(Math.log2(Math.max(bytes, 1)) / 10))
  return `${Number((bytes / 1024 ** unit).toPrecision(4))}${BINARY_UNITS[unit]}`
}

/** `1.23MB`: up to four significant digits, powers of 1000, as docker's tables have it. */
export function humanSize(bytes: number, digits = 4): string {
  let value = bytes
  let unit = 0
  while (value >= 1000 && unit < DECIMAL_UNITS.length - 1) {
    value /= 1000
    unit++
  }
  return `${Number(value.toPrecision(digits))}${DECIMAL_UNITS[unit]}`
}
