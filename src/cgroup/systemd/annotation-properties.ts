/**
 * Annotations `org.systemd.property.<Name>` as properties of the container's unit: the value is a GVariant in
 * text form (runc docs/systemd.md, "Auxiliary properties").
 */
import { TsrunError } from '../../errors.ts'
import type { DbusValue, Variant } from './dbus-values.ts'
import type { UnitProperty } from './unit-properties.ts'

const PREFIX = 'org.systemd.property.'
const TYPES: Readonly<Record<string, string>> = {
  boolean: 'b',
  byte: 'y',
  int16: 'n',
  uint16: 'q',
  int32: 'i',
  uint32: 'u',
  int64: 'x',
  uint64: 't',
  double: 'd',
  string: 's',
  objectpath: 'o',
  signature: 'g',
}
const RANGES: Readonly<Record<string, readonly [bigint, bigint]>> = {
  y: [0n, 2n ** 8n - 1n],
  n: [-(2n ** 15n), 2n ** 15n - 1n],
  q: [0n, 2n ** 16n - 1n],
  i: [-(2n ** 31n), 2n ** 31n - 1n],
  u: [0n, 2n ** 32n - 1n],
  x: [-(2n ** 63n), 2n ** 63n - 1n],
  t: [0n, 2n ** 64n - 1n],
}

/** The properties that annotations ask for. Throws `invalid-argument` naming the annotation. */
export function annotationProperties(
  annotations: Readonly<Record<string, string>>,
): readonly UnitProperty[] {
  return Object.entries(annotations).flatMap(([key, text]) => {
    if (!key.startsWith(PREFIX)) return []
    const name = key.slice(PREFIX.length)
    if (!/^[A-Za-z]{3,}$/.test(name))
      throw refusal(key, text, 'a property has at least three letters')
    const variant = parseVariant(text.trim())
    if (variant === undefined) throw refusal(key, text, 'it is no GVariant in text form')
    return [inMicroseconds(name, variant, key, text)]
  })
}

// `TimeoutStopSec` is `TimeoutStopUSec` on D-Bus.
function inMicroseconds(name: string, variant: Variant, key: string, text: string): UnitProperty {
  if (!/[a-z]Sec$/.test(name)) return { name, ...variant }
  const seconds = Number(variant.value)
  const isNumber = variant.signature === 'd' || Object.hasOwn(RANGES, variant.signature)
  if (!isNumber || !(seconds >= 0 && seconds <= Number.MAX_SAFE_INTEGER / 1_000_000))
    throw refusal(key, text, 'it is no number of seconds')
  const value = BigInt(Math.round(seconds * 1_000_000))
  return { name: name.replace(/Sec$/, 'USec'), signature: 't', value }
}

function refusal(key: string, text: string, reason: string): TsrunError {
  return new TsrunError(
    'invalid-argument',
    `cannot read the annotation ${key}=${JSON.stringify(text)}: ${reason}`,
    { hint: "write true, 5, uint64 5, 'text' or ['a', 'b']" },
  )
}

/** A GVariant in text form, of the types that systemd's properties have; undefined when it is none. */
export function parseVariant(text: string): Variant | undefined {
  const typed = /^(?:@([bynqiuxtdsog])|([a-z]+[0-9]*))\s+(\S[\s\S]*)$/.exec(text)
  if (typed !== null) {
    const word = typed[2] ?? ''
    const signature = typed[1] ?? (Object.hasOwn(TYPES, word) ? TYPES[word] : undefined)
    return signature === undefined ? undefined : scalar(signature, typed[3] ?? '')
  }
  if (text.startsWith('[')) return parseArray(text)
  if (text === 'true' || text === 'false') return scalar('b', text)
  if (/^['"]/.test(text)) return scalar('s', text)
  return scalar(/^[-+]?(0x[0-9a-f]+|\d+)$/i.test(text) ? 'i' : 'd', text)
}

function scalar(signature: string, text: string): Variant | undefined {
  const value = scalarValue(signature, text)
  return value === undefined ? undefined : { signature, value }
}

function scalarValue(signature: string, text: string): DbusValue | undefined {
  if (signature === 'b') return text === 'true' ? true : text === 'false' ? false : undefined
  if (signature === 'd')
    return /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(text) ? Number(text) : undefined
  const range = RANGES[signature]
  if (range === undefined) return unquote(text)
  if (!/^[-+]?(0x[0-9a-f]{1,16}|\d{1,20})$/i.test(text)) return undefined
  const digits = BigInt(text.replace(/^[-+]/, ''))
  const value = text.startsWith('-') ? -digits : digits
  if (value < range[0] || value > range[1]) return undefined
  return signature === 'x' || signature === 't' ? value : Number(value)
}

// The escapes of GVariant's text format that name one character.
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r' }

function unquote(text: string): string | undefined {
  const match = /^(['"])((?:[^\\]|\\[\s\S])*)\1$/.exec(text)
  if (match === null) return undefined
  const [, quote = '', inside = ''] = match
  // A quote of its own kind inside would have ended it.
  if (new RegExp(`(?:^|[^\\\\])(?:\\\\\\\\)*${quote}`).test(inside) || inside.includes('\0'))
    return undefined
  return inside.replace(/\\([\s\S])/g, (_whole, letter: string) => ESCAPES[letter] ?? letter)
}

/** An array of values of one type: what separates them may stand inside quotes, too. */
function parseArray(text: string): Variant | undefined {
  if (!text.endsWith(']')) return undefined
  const inside = text.slice(1, -1).trim()
  if (inside === '') return { signature: 'as', value: [] }
  const parts = inside.match(/(?:'(?:[^'\\]|\\[\s\S])*'|"(?:[^"\\]|\\[\s\S])*"|[^,'"])+/g) ?? []
  if (parts.join(',') !== inside) return undefined
  const values = parts.map((part) => parseVariant(part.trim()))
  const [first] = values
  if (first === undefined || first.signature.startsWith('a')) return undefined
  const same = values.flatMap((value) => (value?.signature === first.signature ? [value] : []))
  if (same.length !== values.length) return undefined
  return { signature: `a${first.signature}`, value: same.map(({ value }) => value) }
}
