/** The functions of --format templates: Go's own and the ones docker adds. */

import { formatGo } from './go-printf.ts'
import { templateError } from './go-template-error.ts'
import { isTruthy, printValue, toJson } from './go-template-values.ts'

type TemplateFunction = (...args: readonly unknown[]) => unknown

const MAX_PADDING = 1_000_000

interface FunctionEntry {
  readonly min: number
  readonly max: number
  readonly call: TemplateFunction
  /** In the heading of a table it returns its first argument (docker's HeaderFunctions). */
  readonly plainInHeading?: true
}

const MANY = Number.POSITIVE_INFINITY

const FUNCTIONS: Readonly<Record<string, FunctionEntry>> = {
  json: { min: 1, max: 1, call: (value) => toJson(value), plainInHeading: true },
  join: {
    min: 2,
    max: 2,
    call: (list, separator) => items(list).map(printValue).join(String(separator)),
    plainInHeading: true,
  },
  split: { min: 2, max: 2, call: (text, separator) => printValue(text).split(String(separator)) },
  upper: { min: 1, max: 1, call: (text) => printValue(text).toUpperCase(), plainInHeading: true },
  lower: { min: 1, max: 1, call: (text) => printValue(text).toLowerCase(), plainInHeading: true },
  title: {
    min: 1,
    max: 1,
    call: (text) => printValue(text).replaceAll(/\b\p{L}/gu, (letter) => letter.toUpperCase()),
    plainInHeading: true,
  },
  truncate: {
    min: 2,
    max: 2,
    call: (text, length) => [...printValue(text)].slice(0, count(length)).join(''),
    plainInHeading: true,
  },
  pad: { min: 3, max: 3, call: pad, plainInHeading: true },
  len: { min: 1, max: 1, call: lengthOf },
  index: { min: 1, max: MANY, call: (value, ...keys) => keys.reduce(at, value) },
  slice: { min: 1, max: 4, call: slice },
  print: { min: 0, max: MANY, call: (...values) => printAll(values) },
  println: { min: 0, max: MANY, call: (...values) => `${values.map(printValue).join(' ')}\n` },
  printf: { min: 1, max: MANY, call: (format, ...values) => formatGo(String(format), values) },
  html: { min: 0, max: MANY, call: (...values) => escapeHtml(printAll(values)) },
  js: { min: 0, max: MANY, call: (...values) => escapeJs(printAll(values)) },
  urlquery: {
    min: 0,
    max: MANY,
    call: (...values) => encodeURIComponent(printAll(values)).replaceAll('%20', '+'),
  },
  eq: {
    min: 2,
    max: MANY,
    call: (first, ...others) => others.some((other) => isEqual(first, other)),
  },
  ne: { min: 2, max: 2, call: (a, b) => !isEqual(a, b) },
  lt: { min: 2, max: 2, call: (a, b) => compare(a, b) < 0 },
  le: { min: 2, max: 2, call: (a, b) => compare(a, b) <= 0 },
  gt: { min: 2, max: 2, call: (a, b) => compare(a, b) > 0 },
  ge: { min: 2, max: 2, call: (a, b) => compare(a, b) >= 0 },
  // The renderer evaluates these itself: their arguments only as far as they decide.
  and: {
    min: 1,
    max: MANY,
    call: (...values) => values.find((value) => !isTruthy(value)) ?? values.at(-1),
  },
  or: { min: 1, max: MANY, call: (...values) => values.find(isTruthy) ?? values.at(-1) },
  not: { min: 1, max: 1, call: (value) => !isTruthy(value) },
}

export function isTemplateFunction(name: string): boolean {
  return Object.hasOwn(FUNCTIONS, name)
}

/** Calls the template function `name`; `heading` says that the values are headings of a table. */
export function callFunction(name: string, args: readonly unknown[], heading = false): unknown {
  const called = Object.hasOwn(FUNCTIONS, name) ? FUNCTIONS[name] : undefined
  if (called === undefined) throw templateError(`there is no function "${name}"`)
  if (args.length < called.min || args.length > called.max) {
    const wanted = called.min === called.max ? called.min : `at least ${called.min}`
    throw templateError(`"${name}" takes ${wanted} values, and got ${args.length}`)
  }
  if (heading && called.plainInHeading) return args[0]
  return called.call(...args)
}

// fmt.Sprint: a space between two values of which none is a text.
function printAll(values: readonly unknown[]): string {
  return values
    .map((value, i) => {
      const before = values[i - 1]
      const space = i > 0 && typeof value !== 'string' && typeof before !== 'string' ? ' ' : ''
      return `${space}${printValue(value)}`
    })
    .join('')
}

function pad(text: unknown, before: unknown, after: unknown): string {
  const shown = printValue(text)
  return shown === '' ? '' : ' '.repeat(count(before)) + shown + ' '.repeat(count(after))
}

function count(value: unknown): number {
  const number = Number(value)
  if (Number.isInteger(number) && number >= 0 && number <= MAX_PADDING) return number
  throw templateError(`"${printValue(value)}" is no number from 0 to ${MAX_PADDING}`)
}

function items(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value
  return value === undefined || value === null ? [] : [value]
}

function lengthOf(value: unknown): number {
  if (typeof value === 'string') return Buffer.byteLength(value)
  if (value instanceof Map) return value.size
  if (Array.isArray(value)) return value.length
  if (value === undefined || value === null) return 0
  throw templateError(`a ${typeof value} has no length`)
}

function at(value: unknown, key: unknown): unknown {
  // The zero value of a map of texts: templates compare it with "".
  if (value instanceof Map) return value.get(key) ?? ''
  if (Array.isArray(value)) {
    if (typeof key !== 'number')
      throw templateError(`cannot index a list with "${printValue(key)}"`)
    if (key < 0 || key >= value.length) throw templateError(`there is no index ${key}`)
    return value[key]
  }
  if (typeof value !== 'object' || value === null) return undefined
  return Object.hasOwn(value, String(key)) ? Reflect.get(value, String(key)) : undefined
}

function slice(value: unknown, from: unknown, to: unknown): unknown {
  const start = from === undefined ? 0 : count(from)
  const list = Array.isArray(value) ? value : printValue(value)
  const end = to === undefined ? list.length : count(to)
  if (start > end || end > list.length) throw templateError(`there is no slice ${start}:${end}`)
  return list.slice(start, end)
}

function isEqual(a: unknown, b: unknown): boolean {
  const isNothing = (value: unknown) => value === undefined || value === null
  if (isNothing(a) || isNothing(b)) return isNothing(a) && isNothing(b)
  if (typeof a === 'object' || typeof b === 'object')
    throw templateError('lists and objects cannot be compared')
  if (typeof a !== typeof b) throw templateError(`cannot compare ${typeof a} with ${typeof b}`)
  return a === b
}

function compare(a: unknown, b: unknown): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b
  if (typeof a === 'string' && typeof b === 'string') return a < b ? -1 : Number(a > b)
  throw templateError(`cannot compare ${typeof a} with ${typeof b}`)
}

function escapeHtml(text: string): string {
  const names: Readonly<Record<string, string>> = {
    '<': '&lt;',
    '>': '&gt;',
    '&': '&amp;',
    '"': '&#34;',
    "'": '&#39;',
  }
  return text.replaceAll(/[<>&"']/g, (character) => names[character] ?? '')
}

function escapeJs(text: string): string {
  return text.replaceAll(/[\\'"<>&=\p{Cc}]/gu, (character) =>
    /[\\'"]/.test(character)
      ? `\\${character}`
      : `\\u${character.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}`,
  )
}
