/** Go's text/template as people use it in --format: parsed once, rendered for each row, with bounded work. */
import { nearestWord } from '../util/nearest-word.ts'
import { templateError } from './go-template-error.ts'
import { callFunction } from './go-template-functions.ts'
import {
  type Node,
  type Operand,
  type ParsedTemplate,
  type Pipeline,
  parseNodes,
} from './go-template-parser.ts'
import { isTruthy, printValue } from './go-template-values.ts'

/** A parsed template. Objects are Go structs (an unknown field is an error), Maps are Go maps. */
export interface Template {
  render(data: unknown, options?: RenderOptions): string
}

export interface RenderOptions {
  /** For the heading of a table: functions that change a text leave it as it is, as docker's do. */
  readonly heading?: boolean
}

/** Nested ranges and recursive templates could run for ever: a table of a thousand containers needs a fraction. */
const MAX_STEPS = 1_000_000
const MAX_OUTPUT = 16 * 1024 * 1024
const MAX_CALLS = 100

/** Parses `text`. Throws TsrunError that quotes what it does not understand. */
export function parseTemplate(text: string): Template {
  const parsed = parseNodes(text)
  return {
    render: (data, { heading = false } = {}) => new Renderer(parsed, heading).render(data),
  }
}

type Jump = 'break' | 'continue' | undefined

interface Variable {
  value: unknown
}

interface Scope {
  readonly dot: unknown
  readonly variables: ReadonlyMap<string, Variable>
}

/** The value that comes through a pipe; it may be undefined. */
interface Piped {
  readonly value: unknown
}

class Renderer {
  readonly #template: ParsedTemplate
  readonly #heading: boolean
  #output = ''
  #steps = 0
  #calls = 0

  constructor(template: ParsedTemplate, heading: boolean) {
    this.#template = template
    this.#heading = heading
  }

  render(data: unknown): string {
    this.#nodes(this.#template.nodes, { dot: data, variables: new Map([['$', { value: data }]]) })
    return this.#output
  }

  #nodes(nodes: readonly Node[], outer: Scope): Jump {
    const scope = { dot: outer.dot, variables: new Map(outer.variables) }
    for (const node of nodes) {
      const jump = this.#node(node, scope)
      if (jump !== undefined) return jump
    }
    return undefined
  }

  #node(node: Node, scope: Scope & { variables: Map<string, Variable> }): Jump {
    this.#step()
    switch (node.kind) {
      case 'text':
        this.#write(node.text)
        return undefined
      case 'action':
        this.#action(node.pipeline, scope)
        return undefined
      case 'break':
      case 'continue':
        return node.kind
      case 'template':
        this.#call(node.name, node.pipeline, scope)
        return undefined
      case 'range':
        return this.#range(node, scope)
      default:
        return this.#branch(node, scope)
    }
  }

  #action(pipeline: Pipeline, scope: Scope & { variables: Map<string, Variable> }): void {
    const value = this.#evaluate(pipeline, scope)
    const [name] = pipeline.variables
    if (name === undefined) this.#write(printValue(value))
    else bind(scope.variables, name, value, pipeline.assigns)
  }

  #branch(node: Extract<Node, { pipeline: Pipeline; body: unknown }>, scope: Scope): Jump {
    const value = this.#evaluate(node.pipeline, scope)
    const variables = new Map(scope.variables)
    const [name] = node.pipeline.variables
    if (name !== undefined) bind(variables, name, value, node.pipeline.assigns)
    if (!isTruthy(value)) return this.#nodes(node.otherwise, { dot: scope.dot, variables })
    return this.#nodes(node.body, { dot: node.kind === 'with' ? value : scope.dot, variables })
  }

  #range(node: Extract<Node, { pipeline: Pipeline; body: unknown }>, scope: Scope): Jump {
    const entries = entriesOf(this.#evaluate(node.pipeline, scope))
    if (entries.length === 0) return this.#nodes(node.otherwise, scope)
    const [first, second] = node.pipeline.variables
    for (const [key, value] of entries) {
      this.#step()
      const variables = new Map(scope.variables)
      const { assigns } = node.pipeline
      if (first !== undefined) bind(variables, first, second === undefined ? value : key, assigns)
      if (second !== undefined) bind(variables, second, value, assigns)
      if (this.#nodes(node.body, { dot: value, variables }) === 'break') break
    }
    return undefined
  }

  #call(name: string, pipeline: Pipeline | undefined, scope: Scope): void {
    const nodes = this.#template.defined.get(name)
    if (nodes === undefined) throw templateError(`there is no template "${name}"`)
    if (++this.#calls > MAX_CALLS)
      throw templateError(`its templates call each other deeper than ${MAX_CALLS}`)
    const dot = pipeline === undefined ? undefined : this.#evaluate(pipeline, scope)
    this.#nodes(nodes, { dot, variables: new Map([['$', { value: dot }]]) })
    this.#calls--
  }

  #evaluate(pipeline: Pipeline, scope: Scope): unknown {
    let piped: Piped | undefined
    for (const command of pipeline.commands) piped = { value: this.#command(command, scope, piped) }
    return piped?.value
  }

  #command(command: readonly Operand[], scope: Scope, piped: Piped | undefined): unknown {
    this.#step()
    const [head, ...rest] = command
    if (head === undefined) throw templateError('an action is empty')
    if (head.kind === 'call' && (head.name === 'and' || head.name === 'or'))
      return this.#shortCircuit(head.name, rest, scope, piped)
    const args = [
      ...rest.map((operand) => this.#operand(operand, scope)),
      ...(piped === undefined ? [] : [piped.value]),
    ]
    if (head.kind === 'call') return this.#function(head.name, args)
    const value = this.#operand(head, scope, args.length > 0)
    if (args.length === 0) return value
    // A method: `.Label "name"`.
    if (typeof value === 'function') return value(...args)
    throw templateError('an argument follows a value that is no function')
  }

  // Arguments after the one that decides are not evaluated, since Go 1.18.
  #shortCircuit(
    name: 'and' | 'or',
    operands: readonly Operand[],
    scope: Scope,
    piped: Piped | undefined,
  ): unknown {
    let value: unknown
    for (const operand of operands) {
      value = this.#operand(operand, scope)
      if (isTruthy(value) === (name === 'or')) return value
    }
    if (operands.length === 0 && piped === undefined) throw templateError(`${name} needs a value`)
    return piped === undefined ? value : piped.value
  }

  #operand(operand: Operand, scope: Scope, method = false): unknown {
    switch (operand.kind) {
      case 'literal':
        return operand.value
      case 'call':
        return this.#function(operand.name, [])
      case 'group':
        return follow(this.#evaluate(operand.pipeline, scope), operand.fields)
      case 'path': {
        const value = follow(rootOf(operand.variable, scope), operand.fields)
        if (typeof value !== 'function' || method) return value
        throw templateError(`"${operand.fields.at(-1)}" needs an argument`)
      }
    }
  }

  #function(name: string, args: readonly unknown[]): unknown {
    const value = callFunction(name, args, this.#heading)
    if (typeof value === 'string' && value.length > MAX_OUTPUT)
      throw templateError(`a value is longer than ${MAX_OUTPUT} characters`)
    return value
  }

  #write(text: string): void {
    if (this.#output.length + text.length > MAX_OUTPUT)
      throw templateError(`it makes more than ${MAX_OUTPUT} characters`)
    this.#output += text
  }

  #step(): void {
    if (++this.#steps > MAX_STEPS) throw templateError(`it takes more than ${MAX_STEPS} steps`)
  }
}

function bind(
  variables: Map<string, Variable>,
  name: string,
  value: unknown,
  assigns: boolean,
): void {
  const known = assigns ? variables.get(name) : undefined
  if (known === undefined) variables.set(name, { value })
  else known.value = value
}

function entriesOf(value: unknown): [unknown, unknown][] {
  if (Array.isArray(value)) return [...value.entries()]
  if (value === undefined || value === null) return []
  if (typeof value === 'number' && Number.isInteger(value) && value <= MAX_STEPS)
    return Array.from({ length: Math.max(value, 0) }, (_, i) => [i, i])
  if (typeof value !== 'object') throw templateError(`cannot range over ${typeof value}`)
  const entries: [unknown, unknown][] =
    value instanceof Map ? [...value.entries()] : Object.entries(value)
  return entries.sort(([a], [b]) => (String(a) < String(b) ? -1 : 1))
}

function rootOf(variable: string | undefined, scope: Scope): unknown {
  return variable === undefined ? scope.dot : scope.variables.get(variable)?.value
}

function follow(start: unknown, fields: readonly string[]): unknown {
  return fields.reduce(fieldOf, start)
}

function fieldOf(value: unknown, field: string): unknown {
  if (value instanceof Map) return value.get(field)
  if (typeof value === 'object' && value !== null && Object.hasOwn(value, field))
    return Reflect.get(value, field)
  if (value === undefined || value === null) return undefined
  const nearest = typeof value === 'object' ? nearestWord(field, Object.keys(value)) : undefined
  const question = nearest === undefined ? '' : `; did you mean "${nearest}"?`
  throw templateError(`there is no field "${field}"${question}`)
}
