/** Facts about one TypeScript source that the architecture rules speak of, from its syntax tree. */
import { parseAst } from 'vitest/node'

export interface ImportFact {
  readonly specifier: string
  /** `import type`, `export type … from`, or only types between the braces. */
  readonly typeOnly: boolean
  /** `import()`: loaded when reached, so it makes no cycle at load time. */
  readonly dynamic: boolean
  readonly line: number
}

export interface SyntaxNode {
  readonly type: string
  readonly start: number
  readonly end: number
  readonly [field: string]: unknown
}

export interface SourceFile {
  /** Path below src/, with `/`. */
  readonly path: string
  readonly text: string
  readonly lines: number
  readonly imports: readonly ImportFact[]
  readonly nodes: readonly SyntaxNode[]
  /** Line of an offset, from 1. */
  readonly lineAt: (offset: number) => number
}

// TypeScript 7 ships no JavaScript API; vitest brings a parser (oxc) that knows its syntax.
/** Parses a source; throws where it is no TypeScript. */
export function parseSource(path: string, text: string): SourceFile {
  const nodes = [...walk(parseAst(text, { lang: 'ts' }))]
  const lineStarts = [0, ...[...text.matchAll(/\n/g)].map((match) => match.index + 1)]
  const lineAt = (offset: number) => lineStarts.filter((start) => start <= offset).length
  return {
    path,
    text,
    lines: text.split('\n').length - (text.endsWith('\n') ? 1 : 0),
    imports: nodes.flatMap((node) => importOf(node, lineAt)),
    nodes,
    lineAt,
  }
}

/** Whether a value of a syntax tree is a node. */
export function isNode(value: unknown): value is SyntaxNode {
  return typeof value === 'object' && value !== null && 'type' in value && 'start' in value
}

function* walk(value: unknown): Generator<SyntaxNode> {
  if (Array.isArray(value)) for (const item of value) yield* walk(item)
  if (!isNode(value)) return
  yield value
  for (const child of Object.values(value)) yield* walk(child)
}

function importOf(node: SyntaxNode, lineAt: (offset: number) => number): ImportFact[] {
  const source = node.source
  if (!isNode(source) || typeof source.value !== 'string') return []
  if (!/^(Import|Export)/.test(node.type)) return []
  const dynamic = node.type === 'ImportExpression'
  return [
    {
      specifier: source.value,
      typeOnly: isTypeOnly(node),
      dynamic,
      line: lineAt(node.start),
    },
  ]
}

function isTypeOnly(node: SyntaxNode): boolean {
  if (node.importKind === 'type' || node.exportKind === 'type') return true
  const specifiers = Array.isArray(node.specifiers) ? node.specifiers.filter(isNode) : []
  return (
    specifiers.length > 0 &&
    specifiers.every((specifier) => (specifier.importKind ?? specifier.exportKind) === 'type')
  )
}
