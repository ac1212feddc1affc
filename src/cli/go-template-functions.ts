/** The functions of --format templates: Go's own and the ones docker adds. */
import { TsrunError } from '../errors.ts'

type TemplateFunction = (...args: readonly unknown[]) => unknown

const FUNCTIONS: Readonly<Record<string, TemplateFunction>> = {
  json: (value) => toJson(value),
  len: (value) => lengthOf(value),
  index: (value, ...keys) => keys.reduce(at, value),
  join: (list, separator) => items(list).map(printValue).join(String(separator)),
  split: (text, separator) => String(text).split(String(separator)),
  upper: (text) => printValue(text).toUpperCase(),
  lower: (text) => printValue(text).toLowerCase(),
  title: (text) => printValue(text).replaceAll(/\b\p{L}/gu, (letter) => letter.toUpperCase()),
  truncate: (text, length) => printValue(text).slice(0, Number(length)),
  pad: (text, before, after) =>
    ' '.repeat(Number(before)) + printValue(text) + ' '.repeat(Number(after)),
  slice: (value, from, to) => slice(value, from, to),
  print: (...values) => values.map(printValue).join(' '),
  println: (...values) => `${values.map(printValue).join(' ')}\n`,
  printf: (format, ...values) => printf(String(format), values),
  eq: (first, ...others) => others.some((other) => other === first),
  ne: (a, b) => a !== b,
  lt: (a, b) => compare(a, b) < 0,
  le: (a, b) => compare(a, b) <= 0,
  gt: (a, b) => compare(a, b) > 0,
  ge: (a, b) => compare(a, b) >= 0,
  and: (...values) => values.find((value) => !isTruthy(value)) ?? values.at(-1),
  or: (...values) => values.find(isTruthy) ?? values.at(-1),
  not: (value) => !isTruthy(value),
}

/** Calls the template function `name`. */
export function callFunction(name: string, args: readonly unknown[]): unknown {
  const called = Object.hasOwn(FUNCTIONS, name) ? FUNCTIONS[name] : undefined
  if (called === undefined) {
    throw new TsrunError(
      'invalid-argument',
      `cannot use the format template: there is no function "${name}"`,
    )
  }
  return called(...args)
}

/** What Go prints for a value. */
export function printValue(value: unknown): string {
  if (value === undefined || value === null) return '<no value>'
  if (Array.isArray(value)) return `[${value.map(printValue).join(' ')}]`
  if (value instanceof Map)
    return `map[${[...value].map(([key, item]) => `${key}:${printValue(item)}`).join(' ')}]`
  if (typeof value === 'object') return `{${Object.values(value).map(printValue).join(' ')}}`
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

function items(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value
  return value === undefined || value === null ? [] : [value]
}

function lengthOf(value: unknown): number {
  if (typeof value === 'string') return Buffer.byteLength(value)
  if (value instanceof Map) return value.size
  if (Array.isArray(value)) return value.length
  return Object.keys(value ?? {}).length
}

function at(value: unknown, key: unknown): unknown {
  if (value instanceof Map) return value.get(key)
  if (typeof value !== 'object' || value === null) return undefined
  return Object.hasOwn(value, String(key)) ? Reflect.get(value, String(key)) : undefined
}

function slice(value: unknown, from: unknown, to: unknown): unknown {
  const start = from === undefined ? 0 : Number(from)
  const end = to === undefined ? undefined : Number(to)
  return Array.isArray(value) ? value.slice(start, end) : printValue(value).slice(start, end)
}

function compare(a: unknown, b: unknown): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b
  return String(a) < String(b) ? -1 : Number(String(a) > String(b))
}

function printf(format: string, values: readonly unknown[]): string {
  const rest = [...values]
  return format.replaceAll(
    /%(-?)(\d*)([sdvqtf%])/g,
    (_match, left: string, width: string, verb: string) => {
      if (verb === '%') return '%'
      const text =
        verb === 'q' ? JSON.stringify(printValue(rest.shift())) : printValue(rest.shift())
      return left === '' ? text.padStart(Number(width)) : text.padEnd(Number(width))
    },
  )
}
