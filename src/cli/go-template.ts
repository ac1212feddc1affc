/** The part of Go's text/template that people use in --format: parsed once, rendered for each row. */
import { TsrunError } from '../errors.ts'
import { callFunction, isTruthy, printValue } from './go-template-functions.ts'

/** A parsed template. Objects are Go structs (an unknown field is an error), Maps are Go maps. */
export interface Template {
  render(data: unknown): string
}

type Operand =
  | { readonly kind: 'literal'; readonly value: unknown }
  /** `.A.B` or `$name.A.B`; root undefined is the current dot. */
  | {
      readonly kind: 'path'
      readonly variable: string | undefined
      readonly fields: readonly string[]
    }
  | { readonly kind: 'call'; readonly name: string }
  | { readonly kind: 'group'; readonly pipeline: Pipeline; readonly fields: readonly string[] }

/** Commands joined by `|`: the value of each becomes the last argument of the next. */
type Pipeline = readonly (readonly Operand[])[]

type Node =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'print'; readonly pipeline: Pipeline }
  | { readonly kind: 'assign'; readonly name: string; readonly pipeline: Pipeline }
  | {
      readonly kind: 'if' | 'with' | 'range'
      readonly pipeline: Pipeline
      readonly variables: readonly string[]
      readonly body: readonly Node[]
      readonly otherwise: readonly Node[]
    }

/** Parses `text`. Throws TsrunError that quotes what it does not understand. */
export function parseTemplate(text: string): Template {
  const parser = new Parser(text)
  const nodes = parser.nodes()
  return {
    render(data) {
      return renderNodes(nodes, { dot: data, variables: new Map([['$', data]]) })
    },
  }
}

interface Scope {
  readonly dot: unknown
  readonly variables: Map<string, unknown>
}

function renderNodes(nodes: readonly Node[], scope: Scope): string {
  return nodes.map((node) => renderNode(node, scope)).join('')
}

function renderNode(node: Node, scope: Scope): string {
  switch (node.kind) {
    case 'text':
      return node.text
    case 'print':
      return printValue(evaluate(node.pipeline, scope))
    case 'assign':
      scope.variables.set(node.name, evaluate(node.pipeline, scope))
      return ''
    case 'range':
      return renderRange(node, scope)
    default: {
      const value = evaluate(node.pipeline, scope)
      if (!isTruthy(value)) return renderNodes(node.otherwise, scope)
      return renderNodes(node.body, node.kind === 'with' ? { ...scope, dot: value } : scope)
    }
  }
}

function renderRange(node: Extract<Node, { kind: 'if' | 'with' | 'range' }>, scope: Scope): string {
  const entries = entriesOf(evaluate(node.pipeline, scope))
  if (entries.length === 0) return renderNodes(node.otherwise, scope)
  return entries
    .map(([key, value]) => {
      const variables = new Map(scope.variables)
      const [first, second] = node.variables
      if (first !== undefined) variables.set(first, second === undefined ? value : key)
      if (second !== undefined) variables.set(second, value)
      return renderNodes(node.body, { dot: value, variables })
    })
    .join('')
}

function entriesOf(value: unknown): [unknown, unknown][] {
  if (Array.isArray(value)) return [...value.entries()]
  const entries: [unknown, unknown][] =
    value instanceof Map ? [...value.entries()] : Object.entries(value ?? {})
  return entries.sort(([a], [b]) => (String(a) < String(b) ? -1 : 1))
}

function evaluate(pipeline: Pipeline, scope: Scope): unknown {
  let piped: { readonly value: unknown } | undefined
  for (const command of pipeline) piped = { value: evaluateCommand(command, scope, piped) }
  return piped?.value
}

function evaluateCommand(
  command: readonly Operand[],
  scope: Scope,
  piped: { readonly value: unknown } | undefined,
): unknown {
  const [head, ...rest] = command
  if (head === undefined) throw templateError('an action is empty')
  const args = [
    ...rest.map((operand) => evaluateOperand(operand, scope)),
    ...(piped === undefined ? [] : [piped.value]),
  ]
  if (head.kind === 'call') return callFunction(head.name, args)
  const value = evaluateOperand(head, scope)
  if (args.length === 0) return value
  // A method: `.Label "name"`.
  if (typeof value === 'function') return value(...args)
  throw templateError('an argument follows a value that is no function')
}

function evaluateOperand(operand: Operand, scope: Scope): unknown {
  switch (operand.kind) {
    case 'literal':
      return operand.value
    case 'call':
      return callFunction(operand.name, [])
    case 'group':
      return follow(evaluate(operand.pipeline, scope), operand.fields)
    case 'path':
      return follow(rootOf(operand.variable, scope), operand.fields)
  }
}

function rootOf(variable: string | undefined, scope: Scope): unknown {
  if (variable === undefined) return scope.dot
  if (!scope.variables.has(variable)) throw templateError(`the variable ${variable} is not defined`)
  return scope.variables.get(variable)
}

function follow(start: unknown, fields: readonly string[]): unknown {
  return fields.reduce(fieldOf, start)
}

function fieldOf(value: unknown, field: string): unknown {
  if (value instanceof Map) return value.get(field)
  if (typeof value === 'object' && value !== null && Object.hasOwn(value, field))
    return Reflect.get(value, field)
  if (value === undefined || value === null) return undefined
  throw templateError(`there is no field "${field}"`)
}

/** The error for a template that cannot be understood or applied. */
export function templateError(detail: string): TsrunError {
  return new TsrunError('invalid-argument', `cannot use the format template: ${detail}`)
}

const TOKEN =
  /\s*(?:("(?:[^"\\]|\\.)*")|`([^`]*)`|(-?\d+(?:\.\d+)?)|(\$?\w*(?:\.\w+)+|\$\w*|\.)|(:=|[|(),])|([A-Za-z_]\w*))/y

/** Recursive descent over the actions of one template. */
class Parser {
  readonly #pieces: readonly string[]
  #at = 0

  constructor(text: string) {
    const trimmed = text.replaceAll(/\s*\{\{- /g, '{{').replaceAll(/ -\}\}\s*/g, '}}')
    // Odd pieces are actions.
    this.#pieces = trimmed.split(/\{\{((?:"(?:[^"\\]|\\.)*"|`[^`]*`|(?!\}\})[\s\S])*)\}\}/)
    const open = this.#pieces.find((piece, i) => i % 2 === 0 && piece.includes('{{'))
    if (open !== undefined) throw templateError(`"${open}" is not closed`)
  }

  nodes(): Node[] {
    const nodes = this.#block([])
    if (this.#at < this.#pieces.length)
      throw templateError(`"{{${this.#pieces[this.#at]}}}" has no beginning`)
    return nodes
  }

  /** Nodes up to an action that begins with one of `ends`, which is left for the caller. */
  #block(ends: readonly string[]): Node[] {
    const nodes: Node[] = []
    for (; this.#at < this.#pieces.length; this.#at++) {
      const piece = this.#pieces[this.#at] ?? ''
      if (this.#at % 2 === 0) {
        if (piece !== '') nodes.push({ kind: 'text', text: piece })
        continue
      }
      const action = piece.trim()
      const word = /^\w+/.exec(action)?.[0] ?? ''
      if (ends.includes(word)) return nodes
      if (word === 'end' || word === 'else') return nodes
      const node = this.#action(action, word)
      if (node !== undefined) nodes.push(node)
    }
    if (ends.length > 0) throw templateError('an {{end}} is missing')
    return nodes
  }

  #action(action: string, word: string): Node | undefined {
    if (action.startsWith('/*')) return undefined
    if (word === 'if' || word === 'with' || word === 'range')
      return this.#control(action.slice(word.length), word)
    const assignment = /^(\$\w+)\s*:?=\s*/.exec(action)
    if (assignment?.[1] === undefined) return { kind: 'print', pipeline: parsePipeline(action) }
    return {
      kind: 'assign',
      name: assignment[1],
      pipeline: parsePipeline(action.slice(assignment[0].length)),
    }
  }

  #control(text: string, kind: 'if' | 'with' | 'range'): Node {
    const declared = /^\s*(\$\w+)(?:\s*,\s*(\$\w+))?\s*:=/.exec(text)
    const variables = [declared?.[1], declared?.[2]].filter((name) => name !== undefined)
    const pipeline = parsePipeline(text.slice(declared?.[0].length ?? 0))
    this.#at++
    const body = this.#block(['end', 'else'])
    const otherwise = this.#otherwise()
    return { kind, pipeline, variables, body, otherwise }
  }

  #otherwise(): Node[] {
    const action = (this.#pieces[this.#at] ?? '').trim()
    if (action === 'end') return []
    const chained = /^else\s+(if|with)\b([\s\S]*)$/.exec(action)
    if (chained?.[2] !== undefined)
      return [this.#control(chained[2], chained[1] === 'if' ? 'if' : 'with')]
    this.#at++
    return this.#block(['end'])
  }
}

function parsePipeline(text: string): Pipeline {
  const tokens = tokenize(text)
  const pipeline = takePipeline(tokens)
  if (tokens.length > 0) throw templateError(`"${text.trim()}" is not understood`)
  return pipeline
}

type Token =
  | { readonly kind: 'operand'; readonly operand: Operand }
  | { readonly kind: 'mark'; readonly text: string }

function tokenize(text: string): Token[] {
  const tokens: Token[] = []
  TOKEN.lastIndex = 0
  while (TOKEN.lastIndex < text.trimEnd().length) {
    const match = TOKEN.exec(text)
    if (match === null) throw templateError(`"${text.trim()}" is not understood`)
    tokens.push(tokenOf(match))
  }
  return tokens
}

function tokenOf(match: RegExpExecArray): Token {
  const [, quoted, raw, number, path, mark, word] = match
  if (mark !== undefined) return { kind: 'mark', text: mark }
  if (path !== undefined) return { kind: 'operand', operand: pathOperand(path) }
  if (quoted !== undefined) return literal(JSON.parse(quoted))
  if (raw !== undefined) return literal(raw)
  if (number !== undefined) return literal(Number(number))
  if (word === 'true' || word === 'false') return literal(word === 'true')
  if (word === 'nil') return literal(undefined)
  return { kind: 'operand', operand: { kind: 'call', name: word ?? '' } }
}

function literal(value: unknown): Token {
  return { kind: 'operand', operand: { kind: 'literal', value } }
}

function pathOperand(path: string): Operand {
  const [variable = '', ...fields] = path === '.' ? [''] : path.split('.')
  return { kind: 'path', variable: variable === '' ? undefined : variable, fields }
}

function takePipeline(tokens: Token[]): Pipeline {
  const commands: Operand[][] = [[]]
  for (let token = tokens.shift(); token !== undefined; token = tokens.shift()) {
    if (token.kind === 'operand') commands.at(-1)?.push(token.operand)
    else if (token.text === '|') commands.push([])
    else if (token.text === '(') commands.at(-1)?.push(takeGroup(tokens))
    else if (token.text === ')') break
    else throw templateError(`"${token.text}" stands at a wrong place`)
  }
  return commands
}

function takeGroup(tokens: Token[]): Operand {
  const pipeline = takePipeline(tokens)
  return { kind: 'group', pipeline, fields: [] }
}
