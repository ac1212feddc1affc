/**
 * Replaces variables in a word of a Dockerfile and takes its quotes away, as docker's shell lexer does:
 * `$name`, `${name}`, `${name:-word}`, `:+`, `:?` and the same without colon, `${name#pattern}`, `##`, `%`, `%%`,
 * `${name/pattern/replacement}` and `//`.
 */
import { cited, dockerfileError, type Place } from './dockerfile-error.ts'
import { matchingPrefixes, matchingSuffixes, replaceMatches } from './match-pattern.ts'

/** MAX_ARG_STRLEN of the kernel: a longer one could be given to no program (execve(2)). */
const MAX_LENGTH = 131_071
const MAX_DEPTH = 64
/** What a pattern may be tried on: more is no version, path or name. */
const MAX_MATCHED = 2048
const MAX_PATTERN = 64

export interface ExpandOptions {
  readonly escapeChar: string
  readonly place: Place
  /** `raw`: quotes and escapes before anything but `$` stay, for here-documents. */
  readonly quotes?: 'raw' | undefined
}

export type Lookup = (name: string) => string | undefined

/** The word with its variables replaced; throws `invalid-argument` with the place. */
export function expandWord(word: string, lookup: Lookup, options: ExpandOptions): string {
  const expander = new Expander(word, lookup, options)
  const text = expander.until('', 0)
  return text
}

class Expander {
  readonly #text: string
  readonly #lookup: Lookup
  readonly #options: ExpandOptions
  #at = 0

  constructor(text: string, lookup: Lookup, options: ExpandOptions) {
    this.#text = text
    this.#lookup = lookup
    this.#options = options
  }

  /** Up to one of the characters in `ends`, which stays, or to the end of the text. */
  until(ends: string, depth: number): string {
    if (depth > MAX_DEPTH) throw this.#error(`it nests \${...} deeper than ${MAX_DEPTH}`)
    const { escapeChar, quotes } = this.#options
    let result = ''
    while (this.#at < this.#text.length) {
      const char = this.#text.charAt(this.#at)
      if (ends.includes(char)) break
      if (char === escapeChar) result += this.#escaped()
      else if (char === '$') result += this.#variable(depth)
      else if (quotes !== 'raw' && char === "'") result += this.#single()
      else if (quotes !== 'raw' && char === '"') result += this.#double(depth)
      else {
        result += char
        this.#at++
      }
      if (result.length > MAX_LENGTH)
        throw this.#error(`with its variables it is longer than ${MAX_LENGTH} bytes`)
    }
    return result
  }

  #escaped(): string {
    const { escapeChar, quotes } = this.#options
    const next = this.#text.charAt(this.#at + 1)
    this.#at += next === '' ? 1 : 2
    if (next === '') return quotes === 'raw' ? escapeChar : ''
    return quotes === 'raw' && next !== '$' && next !== escapeChar ? escapeChar + next : next
  }

  #single(): string {
    const end = this.#text.indexOf("'", this.#at + 1)
    if (end === -1) throw this.#error("a ' has no end")
    const inner = this.#text.slice(this.#at + 1, end)
    this.#at = end + 1
    return inner
  }

  #double(depth: number): string {
    const { escapeChar } = this.#options
    let result = ''
    for (this.#at++; ; ) {
      const char = this.#text.charAt(this.#at)
      if (char === '') throw this.#error('a " has no end')
      if (char === '"') break
      const next = this.#text.charAt(this.#at + 1)
      if (char === escapeChar && (next === '"' || next === '$' || next === escapeChar)) {
        result += next
        this.#at += 2
      } else if (char === '$') result += this.#variable(depth)
      else {
        result += char
        this.#at++
      }
      if (result.length > MAX_LENGTH)
        throw this.#error(`with its variables it is longer than ${MAX_LENGTH} bytes`)
    }
    this.#at++
    return result
  }

  #variable(depth: number): string {
    this.#at++
    if (this.#text.charAt(this.#at) === '{') return this.#braced(depth)
    const name = this.#name()
    return name === '' ? '$' : (this.#lookup(name) ?? '')
  }

  #name(): string {
    const pattern = /[A-Za-z_][A-Za-z0-9_]*|[0-9@*#?-]/y
    pattern.lastIndex = this.#at
    const name = pattern.exec(this.#text)?.[0] ?? ''
    this.#at += name.length
    return name
  }

  #braced(depth: number): string {
    this.#at++
    const name = this.#name()
    if (name === '') throw this.#error('there is no name of a variable after $ and {')
    const value = this.#lookup(name)
    const operator = /:?[-+?]|##?|%%?|\/\/?/y
    operator.lastIndex = this.#at
    const found = operator.exec(this.#text)?.[0] ?? ''
    this.#at += found.length
    const result = this.#apply(found, { name, value, depth })
    if (this.#text.charAt(this.#at) !== '}')
      throw this.#error(
        this.#at < this.#text.length
          ? `it uses \${${name}...} in a form that is not known`
          : 'a "{" after $ has no end',
      )
    this.#at++
    return result
  }

  #apply(
    operator: string,
    { name, value, depth }: { name: string; value: string | undefined; depth: number },
  ): string {
    if (operator === '') return value ?? ''
    if (operator.startsWith('/')) return this.#replace(operator, value ?? '', depth)
    const word = this.until('}', depth + 1)
    if (/^[#%]/.test(operator)) return this.#cut(operator, value ?? '', word)
    const isThere = operator.startsWith(':')
      ? value !== undefined && value !== ''
      : value !== undefined
    if (operator.endsWith('+')) return isThere ? word : ''
    if (isThere) return value ?? ''
    if (operator.endsWith('-')) return word
    throw this.#error(`the variable ${name} is not set${word === '' ? '' : `: ${word}`}`)
  }

  #cut(operator: string, value: string, pattern: string): string {
    this.#checkPattern(value, pattern)
    const isPrefix = operator.startsWith('#')
    const lengths = isPrefix ? matchingPrefixes(value, pattern) : matchingSuffixes(value, pattern)
    const length = (operator.length === 2 ? lengths.at(-1) : lengths[0]) ?? 0
    const chars = [...value]
    return (isPrefix ? chars.slice(length) : chars.slice(0, chars.length - length)).join('')
  }

  #replace(operator: string, value: string, depth: number): string {
    const pattern = this.until('/}', depth + 1)
    if (this.#text.charAt(this.#at) === '/') this.#at++
    const replacement = this.until('}', depth + 1)
    this.#checkPattern(value, pattern)
    return replaceMatches(value, pattern, replacement, operator === '//' ? 'all' : 'first')
  }

  #checkPattern(value: string, pattern: string): void {
    if (value.length <= MAX_MATCHED && pattern.length <= MAX_PATTERN) return
    throw this.#error(
      `it compares more than ${MAX_MATCHED} characters of a value, or a pattern of more than ${MAX_PATTERN}`,
    )
  }

  #error(problem: string) {
    return dockerfileError(this.#options.place, `${cited(this.#text)}: ${problem}`)
  }
}
