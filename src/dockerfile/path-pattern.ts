/**
 * Patterns for paths, in the two dialects that Dockerfiles have: the globs of COPY (Go's filepath.Match) and the
 * lines of .dockerignore (the same with `**`). A pattern is run as a set of states, one step a character: the time
 * is at most length times length, where a backtracking matcher is exponential for a pattern made to be.
 */

type Token =
  | { readonly kind: 'char'; readonly code: number }
  /** `?`: one character that is no slash. */
  | { readonly kind: 'any' }
  | CharacterClass
  /** `*`: what is in one component. */
  | { readonly kind: 'star' }
  /** `**` at an end: all. */
  | { readonly kind: 'rest' }
  /** `**` and its slash: any number of whole folders, also none. */
  | { readonly kind: 'folders' }

interface CharacterClass {
  readonly kind: 'class'
  readonly negated: boolean
  readonly ranges: readonly (readonly [low: number, high: number])[]
}

/** What a path, or a folder on its way, is to a pattern. */
export interface PathMatch {
  /** The pattern matches the path. */
  readonly whole: boolean
  /** It matches the path or a folder above it. */
  readonly wholeOrParent: boolean
  /** It could match something below the path. */
  readonly below: boolean
}

export type PatternDialect = 'glob' | 'ignore'

const SLASH = 0x2f

/** A pattern that is no pattern; the message says why, in a clause. */
export class PatternError extends Error {}

export interface PathPattern {
  /** `path`: relative, without `.` and `..`, as text. */
  match(path: string): PathMatch
}

/** Compiles a pattern; throws {@link PatternError}. */
export function compilePattern(text: string, dialect: PatternDialect): PathPattern {
  const tokens = tokenize(text, dialect)
  return { match: (path) => run(tokens, path) }
}

/** Whether a word of COPY is a glob: a backslash alone makes none, and stands for itself then. */
export function isGlob(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    if (text[at] === '\\') at++
    else if ('*?['.includes(text[at] ?? ' ')) return true
  }
  return false
}

function tokenize(text: string, dialect: PatternDialect): readonly Token[] {
  const codes = codesOf(text)
  const tokens: Token[] = []
  let isPlain = true
  for (let at = 0; at < codes.length; ) {
    const character = String.fromCodePoint(codes[at] ?? 0)
    if (dialect === 'ignore' && character === '*' && codes[at + 1] === codes[at]) {
      at += 2
      if (codes[at] === SLASH) at++
      tokens.push({ kind: at === codes.length ? 'rest' : 'folders' })
      continue
    }
    isPlain &&= !'*?[\\'.includes(character)
    if (character === '[') {
      const read = readClass(codes, at)
      tokens.push(read.token)
      at = read.end
      continue
    }
    if (character === '\\') at++
    if (at === codes.length) throw new PatternError('it ends with a backslash')
    tokens.push(tokenOf(character, codes[at] ?? 0))
    at++
  }
  // `**name` is any path that ends so, unlike `**/name`, as long as nothing else in it is a wildcard.
  const endsAny = isPlain && text.startsWith('**') && text[2] !== '/'
  return endsAny ? [{ kind: 'rest' }, ...tokens.slice(1)] : tokens
}

function tokenOf(character: string, code: number): Token {
  if (character === '*') return { kind: 'star' }
  return character === '?' ? { kind: 'any' } : { kind: 'char', code }
}

/** `[^a-z\]]`: a range has both ends, and the class at least one range. */
function readClass(
  codes: readonly number[],
  start: number,
): { readonly token: CharacterClass; readonly end: number } {
  const ranges: [number, number][] = []
  const [caret, close, dash] = codesOf('^]-')
  let at = start + 1
  const negated = codes[at] === caret
  if (negated) at++
  const readOne = (): number => {
    if (codes[at] === dash || codes[at] === close)
      throw new PatternError('its [ ] has a "-" or a "]" where a character must stand')
    if (codes[at] === 0x5c) at++
    const code = codes[at++]
    if (code === undefined || at === codes.length) throw new PatternError('its "[" has no "]"')
    return code
  }
  while (codes[at] !== close || ranges.length === 0) {
    const low = readOne()
    if (codes[at] !== dash) {
      ranges.push([low, low])
      continue
    }
    at++
    ranges.push([low, readOne()])
  }
  return { token: { kind: 'class', negated, ranges }, end: at + 1 }
}

function codesOf(text: string): readonly number[] {
  return Array.from(text, (character) => character.codePointAt(0) ?? 0)
}

function run(tokens: readonly Token[], path: string): PathMatch {
  let states = new States(tokens)
  states.enter(0)
  let parent = false
  for (const character of path) {
    const code = character.codePointAt(0) ?? 0
    if (code === SLASH) parent ||= states.isAccepting
    states = states.after(code)
    if (states.isEmpty) return { whole: false, wholeOrParent: parent, below: false }
  }
  return {
    whole: states.isAccepting,
    wholeOrParent: parent || states.isAccepting,
    below: !states.after(SLASH).isEmpty,
  }
}

/** Before which tokens a run of the pattern can be. */
class States {
  readonly #tokens: readonly Token[]
  readonly #active: number[] = []
  readonly #marks: Uint8Array

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens
    this.#marks = new Uint8Array(tokens.length + 1)
  }

  get isEmpty(): boolean {
    return this.#active.length === 0
  }

  get isAccepting(): boolean {
    return this.#marks[this.#tokens.length] === 1
  }

  /** Adds a state, and those that what may be empty leads to. */
  enter(from: number): void {
    for (let state = from; this.#marks[state] !== 1; state++) {
      if (this.#marks[state] === 0) this.#active.push(state)
      this.#marks[state] = 1
      const kind = this.#tokens[state]?.kind
      if (kind !== 'star' && kind !== 'rest' && kind !== 'folders') return
    }
  }

  after(code: number): States {
    const next = new States(this.#tokens)
    for (const state of this.#active) {
      const token = this.#tokens[state]
      if (token === undefined) continue
      if (token.kind === 'folders') {
        // In the middle of a folder's name: only its slash leads on.
        next.#stay(state)
        if (code === SLASH) next.enter(state + 1)
      } else if (token.kind === 'rest' || (token.kind === 'star' && code !== SLASH)) {
        next.enter(state)
      } else if (token.kind !== 'star' && accepts(token, code)) next.enter(state + 1)
    }
    return next
  }

  #stay(state: number): void {
    if (this.#marks[state] !== 0) return
    this.#marks[state] = 2
    this.#active.push(state)
  }
}

function accepts(token: Exclude<Token, { kind: 'star' | 'rest' | 'folders' }>, code: number) {
  if (token.kind === 'char') return token.code === code
  if (token.kind === 'any') return code !== SLASH
  return token.ranges.some(([low, high]) => low <= code && code <= high) !== token.negated
}
