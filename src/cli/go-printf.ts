/** fmt.Sprintf of Go for the values that templates have: texts, numbers, booleans, lists, maps. */
import { printValue } from './go-template-values.ts'

const VERB = /%([-+# 0]*)(\d+)?(?:\.(\d+)?)?([\s\S])?/g
/** fmt's own limit: larger widths are bad ones. */
const MAX_WIDTH = 1_000_000

interface Spec {
  readonly flags: string
  readonly width: number
  readonly precision: number | undefined
}

/** The text that Go would make, its complaints about verbs and values included. */
export function formatGo(format: string, values: readonly unknown[]): string {
  const rest = [...values]
  const text = format.replace(VERB, (whole, flags: string, width, precision, verb) => {
    if (verb === undefined) return '%!(NOVERB)'
    if (verb === '%') return '%'
    const spec = {
      flags,
      width: Number(width ?? 0),
      precision: whole.includes('.') ? Number(precision ?? 0) : undefined,
    }
    if (spec.width > MAX_WIDTH) return '%!(BADWIDTH)'
    if ((spec.precision ?? 0) > MAX_WIDTH) return '%!(BADPREC)'
    if (rest.length === 0) return `%!${verb}(MISSING)`
    return padded(formatted(verb, rest.shift(), spec), spec)
  })
  const extra = rest.map((value) => `${typeName(value)}=${printValue(value)}`)
  return extra.length === 0 ? text : `${text}%!(EXTRA ${extra.join(', ')})`
}

function formatted(verb: string, value: unknown, spec: Spec): string {
  const bad = `%!${verb}(${typeName(value)}=${printValue(value)})`
  if (verb === 'v') return printValue(value)
  if (verb === 'T') return typeName(value)
  if (verb === 't') return typeof value === 'boolean' ? String(value) : bad
  if (Array.isArray(value) && verb !== 'p')
    return `[${value.map((item) => formatted(verb, item, spec)).join(' ')}]`
  if (typeof value === 'string') return formatText(verb, value, spec) ?? bad
  if (typeof value === 'number') return formatNumber(verb, value, spec) ?? bad
  return bad
}

function formatText(verb: string, value: string, { precision, flags }: Spec): string | undefined {
  const text = precision === undefined ? value : [...value].slice(0, precision).join('')
  switch (verb) {
    case 's':
      return text
    case 'q':
      return flags.includes('#') && !text.includes('`') ? `\`${text}\`` : JSON.stringify(text)
    case 'x':
      return Buffer.from(text).toString('hex')
    case 'X':
      return Buffer.from(text).toString('hex').toUpperCase()
    default:
      return undefined
  }
}

const BASES: Readonly<Record<string, number>> = { d: 10, x: 16, X: 16, o: 8, b: 2 }

function formatNumber(verb: string, value: number, spec: Spec): string | undefined {
  const base = BASES[verb]
  const sign = spec.flags.includes('+') && value >= 0 ? '+' : ''
  if (base !== undefined && Number.isInteger(value)) {
    const digits = value.toString(base)
    return sign + (verb === 'X' ? digits.toUpperCase() : digits)
  }
  // toFixed and toExponential take no more digits.
  const precision = Math.min(spec.precision ?? 6, 100)
  switch (verb) {
    case 'f':
    case 'F':
      return sign + value.toFixed(precision)
    case 'e':
    case 'E': {
      const text = value.toExponential(precision).replace(/e([+-])(\d)$/, 'e$10$2')
      return sign + (verb === 'E' ? text.toUpperCase() : text)
    }
    case 'g':
    case 'G':
      return sign + String(value)
    case 'c':
      return isCodePoint(value) ? String.fromCodePoint(value) : '\ufffd'
    case 'q':
      return isCodePoint(value) ? `'${String.fromCodePoint(value)}'` : "'\ufffd'"
    case 'U':
      return `U+${value.toString(16).toUpperCase().padStart(4, '0')}`
    default:
      return undefined
  }
}

function isCodePoint(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= 0x10ffff
}

function padded(text: string, { flags, width }: Spec): string {
  const missing = width - [...text].length
  if (missing <= 0) return text
  if (flags.includes('-')) return text + ' '.repeat(missing)
  if (!flags.includes('0')) return ' '.repeat(missing) + text
  const sign = /^[+-]/.exec(text)?.[0] ?? ''
  return sign + '0'.repeat(missing) + text.slice(sign.length)
}

function typeName(value: unknown): string {
  if (typeof value === 'string') return 'string'
  if (typeof value === 'number') return Number.isInteger(value) ? 'int' : 'float64'
  if (typeof value === 'boolean') return 'bool'
  if (Array.isArray(value)) return '[]string'
  if (value instanceof Map) return 'map[string]string'
  return value === undefined || value === null ? '<nil>' : 'struct'
}
