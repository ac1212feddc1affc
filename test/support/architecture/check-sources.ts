/** The architecture rules: each takes parsed sources and returns one sentence a violation. */
import { posix } from 'node:path'
import {
  LAYER_EXCEPTIONS,
  LAYERS,
  LONG_DATA_FILES,
  MODULE_BANS,
  PURE_NODE_MODULES,
} from './layers.ts'
import { isNode, type SourceFile, type SyntaxNode } from './source-file.ts'

export const FILE_LINES = 400
export const FUNCTION_LINES = 60

/** The layer of a path below src/: its folder, `cli/oci`, or its name for a file at the top. */
export function layerOf(path: string): string {
  const parts = path.split('/')
  if (parts.length === 1) return path.replace(/\.ts$/, '')
  return parts[0] === 'cli' && parts.length > 2 ? `cli/${parts[1]}` : (parts[0] ?? path)
}

/** Imports that go up or sideways in the layer table, type-only ones too. */
export function findLayerViolations(
  files: readonly SourceFile[],
  exceptions: typeof LAYER_EXCEPTIONS = LAYER_EXCEPTIONS,
): string[] {
  return files.flatMap((file) => {
    const from = layerOf(file.path)
    const layer = LAYERS[from]
    if (layer === undefined)
      return [`${file.path}: the layer table does not know "${from}"; add it with a decision`]
    return relativeImports(file).flatMap(({ target, line }) => {
      const to = layerOf(target)
      const allowed = [...layer.mayImport, ...(exceptions[file.path]?.mayImport ?? [])]
      const isAllowed = allowed.includes(to) || allowed.includes(target.replace(/\.ts$/, ''))
      if (to === from || isAllowed) return []
      return [`${file.path}:${line}: "${from}" must not import "${to}" (${target})`]
    })
  })
}

/** Modules from outside src/ that a file must not use. */
export function findModuleViolations(files: readonly SourceFile[]): string[] {
  return files.flatMap((file) => [
    ...externalModules(file).flatMap(({ module, line }) => {
      const ban = MODULE_BANS.find((entry) => entry.module === module)
      if (ban === undefined && !module.startsWith('node:'))
        return [`${file.path}:${line}: must not import ${module}: it is no dependency`]
      if (ban === undefined || ban.allowed.some((path) => covers(path, file.path))) return []
      return [`${file.path}:${line}: must not import ${module}: ${ban.reason}`]
    }),
    ...impureModules(file),
  ])
}

/** Clocks, chance and the environment in a layer that is pure. */
export function findAmbientViolations(files: readonly SourceFile[]): string[] {
  return files.flatMap((file) => {
    const layer = layerOf(file.path)
    if (LAYERS[layer]?.pure !== true) return []
    // Where `process` is a parameter or a variable, it is config.json's process.
    const hasOwnProcess = file.nodes.some(
      (node) => node.type === 'Identifier' && node.name === 'process' && isBinding(node, file),
    )
    return file.nodes.flatMap((node) => {
      const member = memberName(node)
      const isAmbient =
        ['Date.now', 'Math.random', 'performance.now'].includes(member) ||
        (/^process\./.test(member) && !hasOwnProcess) ||
        (node.type === 'NewExpression' && file.text.slice(node.start).startsWith('new Date()'))
      if (!isAmbient) return []
      return [
        `${file.path}:${file.lineAt(node.start)}: "${layer}" is pure: ${member || 'new Date()'}`,
      ]
    })
  })
}

/** Groups of files that load one another; `import type` and `import()` do not count. */
export function findImportCycles(files: readonly SourceFile[]): string[] {
  const edges = new Map(
    files.map((file) => [
      file.path,
      relativeImports(file)
        .filter((entry) => !entry.typeOnly && !entry.dynamic)
        .map((entry) => entry.target),
    ]),
  )
  const done = new Set<string>()
  const cycles: string[] = []
  const visit = (path: string, trail: readonly string[]): void => {
    const at = trail.indexOf(path)
    if (at >= 0) cycles.push([...trail.slice(at), path].join(' -> '))
    if (at >= 0 || done.has(path)) return
    for (const target of edges.get(path) ?? []) visit(target, [...trail, path])
    done.add(path)
  }
  for (const path of edges.keys()) visit(path, [])
  return cycles
}

/** Files and functions over the budget. */
export function findSizeViolations(files: readonly SourceFile[]): string[] {
  return files.flatMap((file) => {
    const long =
      file.lines > FILE_LINES && !(file.path in LONG_DATA_FILES)
        ? [`${file.path}: ${file.lines} lines, more than ${FILE_LINES}`]
        : []
    const functions = file.nodes.filter(isFunction).flatMap((node) => {
      const first = file.lineAt(node.start)
      const lines = file.lineAt(node.end) - first + 1
      if (lines <= FUNCTION_LINES) return []
      return [`${file.path}:${first}: function of ${lines} lines, more than ${FUNCTION_LINES}`]
    })
    return [...long, ...functions]
  })
}

/** Constructs the house does not use. */
export function findSyntaxViolations(files: readonly SourceFile[]): string[] {
  return files.flatMap((file) =>
    file.nodes.flatMap((node) => {
      const problem = problemOf(node, file)
      return problem === undefined ? [] : [`${file.path}:${file.lineAt(node.start)}: ${problem}`]
    }),
  )
}

/** Files without a head comment, and names that are not of the house. */
export function findHeadViolations(files: readonly SourceFile[]): string[] {
  return files.flatMap(headProblems)
}

const BANNED_NODES: Readonly<Record<string, string>> = {
  ExportDefaultDeclaration: 'no default exports: a name that can be searched',
  TSEnumDeclaration: 'no enums: a union of string literals',
  TSModuleDeclaration: 'no namespaces: a module is one',
  TSAnyKeyword: 'no any: unknown, then narrow',
  TSNonNullExpression: 'no "!": handle the undefined',
  TSParameterProperty: 'no parameter properties: they are not erasable',
  ExportAllDeclaration: 'no barrels: import the file itself',
}

function problemOf(node: SyntaxNode, file: SourceFile): string | undefined {
  const banned = BANNED_NODES[node.type]
  if (banned !== undefined) return banned
  if (isBarrel(node) && layerOf(file.path) !== 'index') return BANNED_NODES.ExportAllDeclaration
  if (isProcessExit(node) && file.path !== 'main.ts')
    return 'process.exit is for main.ts: throw, so that callers can clean up'
  if (node.type === 'CatchClause' && isSilent(node, file))
    return 'silent catch: handle the error or say why it does not matter'
  return undefined
}

function headProblems(file: SourceFile): string[] {
  const name = file.path.split('/').at(-1) ?? ''
  return [
    ...(/^(#!.*\n)?\/\*\*/.test(file.text)
      ? []
      : [`${file.path}: starts without a comment that says what it is responsible for`]),
    ...(/^[a-z0-9]+(-[a-z0-9]+)*(\.d)?\.ts$/.test(name)
      ? []
      : [`${file.path}: the name is not kebab-case`]),
    ...(name === 'index.ts' && file.path !== 'index.ts'
      ? [`${file.path}: index.ts is for the package entry only`]
      : []),
  ]
}

/** A program that only hands on what others export. */
function isBarrel(node: SyntaxNode): boolean {
  const body = node.type === 'Program' && Array.isArray(node.body) ? node.body.filter(isNode) : []
  return (
    body.length > 0 &&
    body.every((child) => child.type === 'ExportNamedDeclaration' && isNode(child.source))
  )
}

function isProcessExit(node: SyntaxNode): boolean {
  return ['process.exit', 'process.reallyExit', 'process.abort'].includes(memberName(node))
}

/** `object.property` of a member of a plain name, else the empty string. */
function memberName(node: SyntaxNode): string {
  if (node.type !== 'MemberExpression' || !isNode(node.object) || !isNode(node.property)) return ''
  const { object, property } = node
  return object.type === 'Identifier' ? `${String(object.name)}.${String(property.name)}` : ''
}

/** Whether a name stands where it is declared: as a parameter, in a pattern, after const or let. */
function isBinding(name: SyntaxNode, file: SourceFile): boolean {
  return file.nodes.some((node) => {
    const places = [node.id, node.params, node.left].flat()
    if (places.includes(name)) return true
    return node.type === 'Property' && node.shorthand === true && node.value === name
  })
}

function isSilent(node: SyntaxNode, file: SourceFile): boolean {
  if (!isNode(node.body) || !Array.isArray(node.body.body)) return false
  const inside = file.text.slice(node.body.start + 1, node.body.end - 1)
  return node.body.body.length === 0 && !/\/[/*]/.test(inside)
}

function isFunction(node: SyntaxNode): boolean {
  return ['FunctionDeclaration', 'FunctionExpression', 'ArrowFunctionExpression'].includes(
    node.type,
  )
}

interface RelativeImport {
  readonly target: string
  readonly typeOnly: boolean
  readonly dynamic: boolean
  readonly line: number
}

function relativeImports(file: SourceFile): RelativeImport[] {
  return file.imports
    .filter((entry) => entry.specifier.startsWith('.'))
    .map(({ specifier, typeOnly, dynamic, line }) => ({
      target: posix.normalize(posix.join(posix.dirname(file.path), specifier)),
      typeOnly,
      dynamic,
      line,
    }))
}

// Also require(…) and createRequire(…)(…): how native modules are loaded from ES modules.
function externalModules(file: SourceFile): { module: string; line: number }[] {
  const required = file.nodes.flatMap((node) => {
    const [first] = Array.isArray(node.arguments) ? node.arguments.filter(isNode) : []
    if (node.type !== 'CallExpression' || typeof first?.value !== 'string') return []
    const callee = isNode(node.callee) ? node.callee : undefined
    const isRequire = callee?.name === 'require' || callee?.type === 'CallExpression'
    return isRequire ? [{ module: first.value, line: file.lineAt(node.start) }] : []
  })
  const imported = file.imports
    .filter((entry) => !entry.specifier.startsWith('.'))
    .map(({ specifier, line }) => ({ module: specifier, line }))
  return [...imported, ...required]
}

function impureModules(file: SourceFile): string[] {
  const layer = layerOf(file.path)
  if (LAYERS[layer]?.pure !== true) return []
  return externalModules(file)
    .filter(({ module }) => module.startsWith('node:') && !PURE_NODE_MODULES.has(module))
    .map(
      ({ module, line }) => `${file.path}:${line}: "${layer}" is pure and must not use ${module}`,
    )
}

function covers(allowed: string, path: string): boolean {
  return allowed.endsWith('/') ? path.startsWith(allowed) : path === allowed
}
