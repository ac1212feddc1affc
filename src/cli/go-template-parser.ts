/** Parses a Go template into nodes: recursive descent with a bounded depth. */
import { templateError } from './go-template-error.ts'
import { isTemplateFunction } from './go-template-functions.ts'
import { lexTemplate, type Token } from './go-template-lexer.ts'

export type Operand =
  | { readonly kind: 'literal'; readonly value: unknown }
  /** `.A.B` or `$name.A.B`; root undefined is the current dot. */
  | {
      readonly kind: 'path'
      readonly variable: string | undefined
      readonly fields: readonly string[]
    }
  | { readonly kind: 'call'; readonly name: string }
  | { readonly kind: 'group'; readonly pipeline: Pipeline; readonly fields: readonly string[] }

export interface Pipeline {
  /** Variables that get its value; two in a range. */
  readonly variables: readonly string[]
  /** `=` instead of `:=`. */
  readonly assigns: boolean
  /** Joined by `|`: the value of each becomes the last argument of the next. */
  readonly commands: readonly (readonly Operand[])[]
}

export type Node =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'action'; readonly pipeline: Pipeline }
  | { readonly kind: 'break' | 'continue' }
  | { readonly kind: 'template'; readonly name: string; readonly pipeline: Pipeline | undefined }
  | {
      readonly kind: 'if' | 'with' | 'range'
      readonly pipeline: Pipeline
      readonly body: readonly Node[]
      readonly otherwise: readonly Node[]
    }

export interface ParsedTemplate {
  readonly nodes: readonly Node[]
  /** What `{{define "name"}}` holds. */
  readonly defined: ReadonlyMap<string, readonly Node[]>
}

const MAX_DEPTH = 100

/** Throws TsrunError that says what it does not understand. */
export function parseNodes(template: string): ParsedTemplate {
  return new Parser(lexTemplate(template)).parse()
}

class Parser {
  readonly #tokens: readonly Token[]
  readonly #defined = new Map<string, readonly Node[]>()
  #at = 0
  #depth = 0
  #ranges = 0
  /** Names in scope; a block's own end with it. */
  #variables: string[] = ['$']

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens
  }

  parse(): ParsedTemplate {
    const { nodes, end } = this.#block()
    if (end !== '') throw templateError(`{{${end}}} has no beginning`)
    return { nodes, defined: this.#defined }
  }

  /** Nodes up to `{{end}}` or `{{else}}`, whose word is consumed, or the end of the template. */
  #block(): { nodes: Node[]; end: string } {
    if (++this.#depth > MAX_DEPTH) throw templateError(`it is nested deeper than ${MAX_DEPTH}`)
    const nodes: Node[] = []
    for (;;) {
      const token = this.#next()
      if (token.kind === 'end') {
        this.#depth--
        return { nodes, end: '' }
      }
      if (token.kind === 'text') {
        nodes.push({ kind: 'text', text: token.text })
        continue
      }
      const word = this.#peek().kind === 'word' ? this.#peek().text : ''
      if (word === 'end' || word === 'else') {
        this.#next()
        this.#depth--
        return { nodes, end: word }
      }
      const node = this.#action(word)
      if (node !== undefined) nodes.push(node)
    }
  }

  #action(word: string): Node | undefined {
    if (word === 'if' || word === 'with' || word === 'range') return this.#control(word)
    if (word === 'break' || word === 'continue') return this.#jump(word)
    if (word === 'define') return this.#define()
    if (word === 'template') return this.#template()
    const pipeline = this.#pipeline('an action')
    this.#close()
    return { kind: 'action', pipeline }
  }

  #control(kind: 'if' | 'with' | 'range'): Node {
    this.#next()
    return this.#controlled(kind)
  }

  #controlled(kind: 'if' | 'with' | 'range'): Node {
    const outer = [...this.#variables]
    const pipeline = this.#pipeline(`{{${kind}}}`)
    this.#close()
    if (kind === 'range') this.#ranges++
    const { nodes: body, end } = this.#block()
    if (kind === 'range') this.#ranges--
    if (end === '') throw templateError(`the {{end}} of {{${kind}}} is missing`)
    const otherwise = end === 'else' ? this.#otherwise(kind) : this.#closed()
    this.#variables = outer
    return { kind, pipeline, body, otherwise }
  }

  #otherwise(kind: string): readonly Node[] {
    const { kind: next, text } = this.#peek()
    if (next === 'word' && (text === 'if' || text === 'with')) {
      if (++this.#depth > MAX_DEPTH) throw templateError(`it is nested deeper than ${MAX_DEPTH}`)
      const node = this.#control(text)
      this.#depth--
      return [node]
    }
    this.#close()
    const { nodes, end } = this.#block()
    if (end !== 'end') throw templateError(`the {{end}} of {{${kind}}} is missing`)
    this.#close()
    return nodes
  }

  #closed(): readonly Node[] {
    this.#close()
    return []
  }

  #jump(kind: 'break' | 'continue'): Node {
    this.#next()
    this.#close()
    if (this.#ranges === 0) throw templateError(`{{${kind}}} is outside of a {{range}}`)
    return { kind }
  }

  #define(): undefined {
    this.#next()
    const name = this.#name('define')
    this.#close()
    const outer = this.#variables
    this.#variables = ['$']
    const { nodes, end } = this.#block()
    if (end !== 'end') throw templateError(`the {{end}} of {{define}} is missing`)
    this.#close()
    this.#variables = outer
    this.#defined.set(name, nodes)
  }

  #template(): Node {
    this.#next()
    const name = this.#name('template')
    const pipeline = this.#peek().kind === 'close' ? undefined : this.#pipeline('{{template}}')
    this.#close()
    return { kind: 'template', name, pipeline }
  }

  #name(what: string): string {
    const { kind, value } = this.#next()
    if (kind === 'literal' && typeof value === 'string') return value
    throw templateError(`{{${what}}} needs a name in quotes`)
  }

  #pipeline(what: string): Pipeline {
    const { variables, assigns } = this.#declaration()
    const commands: Operand[][] = []
    for (;;) {
      const command = this.#command()
      if (command.length === 0)
        throw templateError(
          commands.length === 0 ? `a value is missing in ${what}` : 'a value is missing after |',
        )
      refuseNil(command)
      if (commands.length > 0) refuseValue(command)
      commands.push(command)
      if (!this.#takeMark('|')) break
    }
    if (!assigns) this.#variables.push(...variables)
    return { variables, assigns, commands }
  }

  #declaration(): { variables: string[]; assigns: boolean } {
    const [first, second, third, fourth] = this.#tokens.slice(this.#at, this.#at + 4)
    const isMark = (token: Token | undefined, ...texts: string[]): boolean =>
      token?.kind === 'mark' && texts.includes(token.text)
    if (first?.kind !== 'variable') return { variables: [], assigns: false }
    if (isMark(second, ':=', '=')) {
      this.#at += 2
      return { variables: [first.text], assigns: second?.text === '=' }
    }
    if (isMark(second, ',') && third?.kind === 'variable' && isMark(fourth, ':=', '=')) {
      this.#at += 4
      return { variables: [first.text, third.text], assigns: fourth?.text === '=' }
    }
    return { variables: [], assigns: false }
  }

  #command(): Operand[] {
    const operands: Operand[] = []
    for (;;) {
      const operand = this.#operand()
      if (operand === undefined) return operands
      operands.push(operand)
    }
  }

  #operand(): Operand | undefined {
    const token = this.#peek()
    switch (token.kind) {
      case 'literal':
        this.#next()
        return { kind: 'literal', value: token.value }
      case 'dot':
        this.#next()
        return { kind: 'path', variable: undefined, fields: [] }
      case 'field':
        return { kind: 'path', variable: undefined, fields: this.#fields(true) }
      case 'variable':
        this.#next()
        this.#checkVariable(token.text)
        return { kind: 'path', variable: token.text, fields: this.#fields(false) }
      case 'word':
        this.#next()
        return wordOperand(token.text)
      case 'mark':
        return token.text === '(' ? this.#group() : undefined
      default:
        return undefined
    }
  }

  /** The fields that follow without a space; the first one may have one. */
  #fields(spaceAllowed: boolean): string[] {
    const fields: string[] = []
    for (let token = this.#peek(); token.kind === 'field'; token = this.#peek()) {
      if (token.spaceBefore && !(spaceAllowed && fields.length === 0)) break
      fields.push(this.#next().text.slice(1))
    }
    return fields
  }

  #group(): Operand {
    if (++this.#depth > MAX_DEPTH) throw templateError(`it is nested deeper than ${MAX_DEPTH}`)
    this.#next()
    const pipeline = this.#pipeline('( )')
    if (!this.#takeMark(')')) throw templateError('a ) is missing')
    this.#depth--
    return { kind: 'group', pipeline, fields: this.#fields(false) }
  }

  #checkVariable(name: string): void {
    if (!this.#variables.includes(name)) throw templateError(`the variable ${name} is not defined`)
  }

  #close(): void {
    const token = this.#next()
    if (token.kind !== 'close') throw templateError(`"${token.text}" stands at a wrong place`)
  }

  #takeMark(text: string): boolean {
    const { kind, text: found } = this.#peek()
    if (kind !== 'mark' || found !== text) return false
    this.#next()
    return true
  }

  #peek(): Token {
    return this.#tokens[this.#at] ?? { kind: 'end', text: '', spaceBefore: false }
  }

  #next(): Token {
    const token = this.#peek()
    this.#at++
    return token
  }
}

function wordOperand(name: string): Operand {
  if (name === 'true' || name === 'false') return { kind: 'literal', value: name === 'true' }
  if (name === 'nil') return { kind: 'literal', value: undefined }
  if (!isTemplateFunction(name)) throw templateError(`there is no function "${name}"`)
  return { kind: 'call', name }
}

function refuseNil([head]: readonly Operand[]): void {
  if (head?.kind === 'literal' && head.value === undefined)
    throw templateError('nil is no value to begin with')
}

// `1 | 2`: only functions and methods take what comes through a pipe.
function refuseValue([head]: readonly Operand[]): void {
  if (head?.kind === 'literal')
    throw templateError('what follows | must be a function, and is a value')
}
