/** Splits a Go template into text and the tokens of its actions, in one pass (text/template/parse/lex.go). */
import { templateError } from './go-template-error.ts'

export type TokenKind =
  | 'text'
  | 'open'
  | 'close'
  | 'literal'
  /** `.Name`; joined to what stands before it when there is no space. */
  | 'field'
  | 'dot'
  /** `$` or `$name`. */
  | 'variable'
  | 'word'
  /** `|`, `(`, `)`, `,`, `:=` or `=`. */
  | 'mark'
  | 'end'

export interface Token {
  readonly kind: TokenKind
  readonly text: string
  /** Of a literal. */
  readonly value?: unknown
  readonly spaceBefore: boolean
}

const MAX_LENGTH = 64 * 1024
/** Sticky, and without two ways to match the same text: a template must not make them run away. */
const PATTERNS: readonly (readonly [TokenKind | 'string' | 'raw' | 'char' | 'number', RegExp])[] = [
  ['string', /"(?:[^"\\\n]|\\.)*"/y],
  ['raw', /`[^`]*`/y],
  ['char', /'(?:[^'\\\n]|\\.)+'/y],
  [
    'number',
    /[+-]?(?:0[xX][\da-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+|\d[\d_]*(?:\.\d*)?(?:[eE][+-]?\d+)?)/y,
  ],
  ['field', /\.[\p{L}_][\p{L}\p{N}_]*/uy],
  ['dot', /\./y],
  ['variable', /\$[\p{L}\p{N}_]*/uy],
  ['word', /[\p{L}_][\p{L}\p{N}_]*/uy],
  ['mark', /:=|[|(),=]/y],
]
const SPACE = /[ \t\r\n]*/y

/** The tokens of `template`, ending with `end`. */
export function lexTemplate(template: string): Token[] {
  if (template.length > MAX_LENGTH)
    throw templateError(`it is longer than ${MAX_LENGTH} characters`)
  const tokens: Token[] = []
  let at = 0
  let trimNext = false
  for (;;) {
    const open = template.indexOf('{{', at)
    const text = template.slice(at, open === -1 ? undefined : open)
    const trimEnd = open !== -1 && /^\{\{-[ \t\r\n]/.test(template.slice(open, open + 4))
    const left = trimNext ? text.trimStart() : text
    const kept = trimEnd ? left.trimEnd() : left
    if (kept !== '') tokens.push({ kind: 'text', text: kept, spaceBefore: false })
    if (open === -1) return [...tokens, { kind: 'end', text: '', spaceBefore: false }]
    const action = lexAction(template, open + (trimEnd ? 3 : 2))
    tokens.push(...action.tokens)
    at = action.end
    trimNext = action.trims
  }
}

interface Action {
  readonly tokens: readonly Token[]
  readonly end: number
  readonly trims: boolean
}

function lexAction(template: string, start: number): Action {
  const comment = lexComment(template, start)
  if (comment !== undefined) return comment
  const tokens: Token[] = [{ kind: 'open', text: '{{', spaceBefore: false }]
  let at = start
  for (;;) {
    SPACE.lastIndex = at
    const spaces = SPACE.exec(template)?.[0].length ?? 0
    at += spaces
    const trims = spaces > 0 && template.startsWith('-}}', at)
    if (trims || template.startsWith('}}', at)) {
      tokens.push({ kind: 'close', text: '}}', spaceBefore: spaces > 0 })
      return { tokens, end: at + (trims ? 3 : 2), trims }
    }
    if (at >= template.length) throw templateError('an action is not closed by }}')
    const token = lexToken(template, at, spaces > 0)
    tokens.push(token)
    at += token.text.length
  }
}

function lexComment(template: string, start: number): Action | undefined {
  SPACE.lastIndex = start
  const at = start + (SPACE.exec(template)?.[0].length ?? 0)
  if (!template.startsWith('/*', at)) return undefined
  const close = template.indexOf('*/', at + 2)
  const after = close === -1 ? '' : template.slice(close + 2, close + 6)
  const end = /^(?:\}\}|[ \t\r\n]-\}\})/.exec(after)?.[0]
  if (end === undefined) throw templateError('a comment is not closed by */}}')
  return { tokens: [], end: close + 2 + end.length, trims: end.length > 2 }
}

function lexToken(template: string, at: number, spaceBefore: boolean): Token {
  for (const [kind, pattern] of PATTERNS) {
    pattern.lastIndex = at
    const text = pattern.exec(template)?.[0]
    if (text === undefined) continue
    if (kind === 'string') return { ...literal(text, unquote(text)), spaceBefore }
    if (kind === 'raw') return { ...literal(text, text.slice(1, -1)), spaceBefore }
    if (kind === 'char')
      return { ...literal(text, unquote(`"${text.slice(1, -1)}"`).codePointAt(0)), spaceBefore }
    if (kind === 'number') return { ...literal(text, numberOf(text)), spaceBefore }
    return { kind, text, spaceBefore }
  }
  throw templateError(`"${template.slice(at, at + 20)}" is not understood`)
}

function literal(text: string, value: unknown): Omit<Token, 'spaceBefore'> {
  return { kind: 'literal', text, value }
}

function numberOf(text: string): number {
  const sign = text.startsWith('-') ? -1 : 1
  const number = Number(text.replace(/^[+-]/, '').replaceAll('_', ''))
  if (Number.isNaN(number)) throw templateError(`"${text}" is no number`)
  return sign * number
}

const ESCAPES: Readonly<Record<string, string>> = {
  a: '\u0007',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  "'": "'",
  '"': '"',
}

/** The text of a Go string literal (Go specification, "String literals"). */
function unquote(quoted: string): string {
  return quoted
    .slice(1, -1)
    .replace(
      /\\(?:x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|([0-7]{3})|([\s\S]))/g,
      (whole, x, u, U, octal, letter: string | undefined) => {
        const code =
          octal === undefined ? Number.parseInt(x ?? u ?? U ?? '', 16) : Number.parseInt(octal, 8)
        if (letter === undefined) return code > 0x10ffff ? '\ufffd' : String.fromCodePoint(code)
        const character = ESCAPES[letter]
        if (character === undefined) throw templateError(`"${whole}" is no escape`)
        return character
      },
    )
}
