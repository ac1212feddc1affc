/** src/ holds to its layers, import bans, sizes and constructs; and the checker sees what breaks them. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import {
  FILE_LINES,
  findAmbientViolations,
  findHeadViolations,
  findImportCycles,
  findLayerViolations,
  findModuleViolations,
  findSizeViolations,
  findSyntaxViolations,
} from './support/architecture/check-sources.ts'
import { LAYER_EXCEPTIONS, LONG_DATA_FILES } from './support/architecture/layers.ts'
import { parseSource, type SourceFile } from './support/architecture/source-file.ts'

const files = readFolder('../src')
const tests = readFolder('.')

function readFolder(url: string): SourceFile[] {
  const folder = fileURLToPath(new URL(url, import.meta.url))
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .sort()
    .map((path) => parseSource(path, readFileSync(join(folder, path), 'utf8')))
}

/** Sources as a table from path to text; each gets the head comment that the rules ask for. */
function sources(table: Readonly<Record<string, string>>): SourceFile[] {
  return Object.entries(table).map(([path, text]) => parseSource(path, `/** Head. */\n${text}\n`))
}

describe('src/', () => {
  it('imports along the layers only', () => {
    expect(findLayerViolations(files)).toEqual([])
  })

  it('makes no exception to the layers that no file needs', () => {
    const needed = findLayerViolations(files, {}).map((violation) => violation.split(':')[0])
    expect([...new Set(needed)]).toEqual(Object.keys(LAYER_EXCEPTIONS))
  })

  it('leaves koffi, child processes and the like to the files that own them', () => {
    expect(findModuleViolations(files)).toEqual([])
  })

  it('keeps clocks, chance and the environment out of the pure layers', () => {
    expect(findAmbientViolations(files)).toEqual([])
  })

  it('has no files that load one another in a circle', () => {
    expect(findImportCycles(files)).toEqual([])
  })

  it('keeps files and functions short', () => {
    expect(findSizeViolations(files)).toEqual([])
  })

  it('uses only the constructs of the house', () => {
    expect(findSyntaxViolations(files)).toEqual([])
  })

  it('names its files by the house and says what each is for', () => {
    expect(findHeadViolations(files)).toEqual([])
  })

  it('imports with the .ts extension', () => {
    const without = files.flatMap((file) =>
      file.imports
        .filter(({ specifier }) => specifier.startsWith('.') && !specifier.endsWith('.ts'))
        .map(({ specifier }) => `${file.path}: ${specifier}`),
    )
    expect(without).toEqual([])
  })

  it('has as exempt data files only files that are too long', () => {
    const paths = files.filter((file) => file.lines > FILE_LINES).map((file) => file.path)
    for (const path of paths) expect(Object.keys(LONG_DATA_FILES)).toContain(path)
  })
})

describe('test/', () => {
  it('keeps files short', () => {
    const long = tests.filter((file) => file.lines > FILE_LINES)
    expect(long.map((file) => `${file.path}: ${file.lines} lines`)).toEqual([])
  })

  it('uses only the constructs of the house', () => {
    expect(findSyntaxViolations(tests)).toEqual([])
  })
})

describe('findLayerViolations()', () => {
  it('names the layers of an import that goes up', () => {
    expect(
      findLayerViolations(
        sources({ 'util/size.ts': "import { run } from '../runtime/run.ts'\nrun()" }),
      ),
    ).toEqual(['util/size.ts:2: "util" must not import "runtime" (runtime/run.ts)'])
  })

  it('counts types, re-exports and dynamic imports', () => {
    const found = findLayerViolations(
      sources({
        'plan/a.ts': "import type { A } from '../spec/a.ts'\nexport type B = A",
        'plan/b.ts': "export { c } from '../native/c.ts'",
        'plan/c.ts': "export const later = () => import('../engine/engine.ts')",
      }),
    )
    expect(found).toHaveLength(3)
  })

  it('takes cli/oci, cli/engine and cli/ as three layers', () => {
    const found = findLayerViolations(
      sources({
        'cli/oci/run.ts': "import { engine } from '../../engine/engine.ts'\nengine()",
        'cli/engine/run.ts': "import { create } from '../../runtime/create.ts'\ncreate()",
        'cli/engine/ps.ts': "import { print } from '../output.ts'\nprint()",
      }),
    )
    expect(found).toEqual([
      'cli/oci/run.ts:2: "cli/oci" must not import "engine" (engine/engine.ts)',
      'cli/engine/run.ts:2: "cli/engine" must not import "runtime" (runtime/create.ts)',
    ])
  })

  it('lets one file import what the rest of its layer may not', () => {
    const text = "import { runBatch } from '../native/run-batch.ts'\nrunBatch()"
    expect(
      findLayerViolations(
        sources({ 'monitor/launch-monitor.ts': text, 'monitor/attach-client.ts': text }),
      ),
    ).toEqual([
      'monitor/attach-client.ts:2: "monitor" must not import "native" (native/run-batch.ts)',
    ])
  })

  it('takes a single file of a folder where the table names no more', () => {
    const found = findLayerViolations(
      sources({
        'images/a.ts': "import { inflate } from '../native/zstd.ts'\ninflate()",
        'images/b.ts': "import { newBatch } from '../native/run-batch.ts'\nnewBatch()",
      }),
    )
    expect(found).toEqual([
      'images/b.ts:2: "images" must not import "native" (native/run-batch.ts)',
    ])
  })

  it('asks for a decision on a new folder', () => {
    expect(findLayerViolations(sources({ 'helpers/a.ts': '' }))).toEqual([
      'helpers/a.ts: the layer table does not know "helpers"; add it with a decision',
    ])
  })
})

describe('findModuleViolations()', () => {
  it.each([
    ['import', "import koffi from 'koffi'\nkoffi.load('')"],
    ['require', "const koffi = require('koffi')"],
    ['createRequire', "const koffi = createRequire(import.meta.url)('koffi')"],
    ['dynamic import', "const koffi = await import('koffi')"],
  ])('finds koffi outside its file by %s', (_, text) => {
    expect(findModuleViolations(sources({ 'native/syscalls.ts': text }))).toEqual([
      'native/syscalls.ts:2: must not import koffi: one file to replace for another foreign function interface',
    ])
    expect(findModuleViolations(sources({ 'native/koffi-backend.ts': text }))).toEqual([])
  })

  it('finds a package that is no dependency', () => {
    expect(findModuleViolations(sources({ 'util/a.ts': "import a from 'lodash'\na()" }))).toEqual([
      'util/a.ts:2: must not import lodash: it is no dependency',
    ])
  })

  it('finds input and output in a pure layer', () => {
    expect(
      findModuleViolations(sources({ 'plan/compile/a.ts': "import { open } from 'node:fs'" })),
    ).toEqual(['plan/compile/a.ts:2: "plan" is pure and must not use node:fs'])
  })
})

describe('findAmbientViolations()', () => {
  it('finds clocks, chance and the environment in a pure layer', () => {
    const text = 'export const a = [Date.now(), Math.random(), process.env.HOME, new Date()]'
    expect(findAmbientViolations(sources({ 'spec/a.ts': text }))).toHaveLength(4)
    expect(findAmbientViolations(sources({ 'engine/a.ts': text }))).toEqual([])
  })

  it('does not take the process of a config for the one that runs', () => {
    const text = 'export const a = ({ process }: Config) => process.env'
    const parameter = 'export function a(process: Process) { return process.env }'
    expect(findAmbientViolations(sources({ 'plan/a.ts': text, 'plan/b.ts': parameter }))).toEqual(
      [],
    )
  })
})

describe('findImportCycles()', () => {
  it('finds a circle of three', () => {
    const circle = sources({
      'util/a.ts': "import { b } from './b.ts'\nb()",
      'util/b.ts': "export { c as b } from './c.ts'",
      'util/c.ts': "import './a.ts'",
    })
    expect(findImportCycles(circle)).toEqual(['util/a.ts -> util/b.ts -> util/c.ts -> util/a.ts'])
  })

  it('lets types and dynamic imports point back', () => {
    const back = sources({
      'util/a.ts': "import { b } from './b.ts'\nb()",
      'util/b.ts': "import type { A } from './a.ts'\nexport const b = (): A => import('./a.ts')",
    })
    expect(findImportCycles(back)).toEqual([])
  })
})

describe('findSizeViolations()', () => {
  it('finds a long file and a long function', () => {
    const body = 'work()\n'.repeat(59)
    const long = sources({
      'util/a.ts': '\n'.repeat(400),
      'util/b.ts': `export function f() {\n${body}}`,
      'util/c.ts': `export function f() {\n${body.slice('work()\n'.length)}}`,
      'util/d.ts': `export const f = () => {\n${body}}`,
    })
    expect(findSizeViolations(long)).toEqual([
      'util/a.ts: 402 lines, more than 400',
      'util/b.ts:2: function of 61 lines, more than 60',
      'util/d.ts:2: function of 61 lines, more than 60',
    ])
  })
})

describe('findSyntaxViolations()', () => {
  it.each([
    ['export default 1', 'default'],
    ['enum A { B }', 'enum'],
    ['const enum A { B }', 'enum'],
    ['namespace A { export const b = 1 }', 'namespace'],
    ['export const a = b as any', 'any'],
    ['export const a: Map<string, any[]> = new Map()', 'any'],
    ['export const a = b!.c', '"!"'],
    ['export class A { constructor(private readonly b: string) {} }', 'parameter properties'],
    ["export * from './b.ts'", 'barrels'],
    ["export { b } from './b.ts'", 'barrels'],
    ['export function f() { process.exit(1) }', 'process.exit'],
    ['try { f() } catch {}', 'silent catch'],
    ['try { f() } catch (error) {\n}', 'silent catch'],
  ])('finds: %s', (text, word) => {
    const found = findSyntaxViolations(sources({ 'util/a.ts': text }))
    expect(found).toHaveLength(1)
    expect(found[0]).toContain(word)
  })

  it.each([
    ["export { b } from './b.ts'\nexport const c = 1"],
    ["const text = 'enum any process.exit(1)' // any"],
    ['try { f() } catch {\n  // gone already\n}'],
    ['const { exit } = program'],
  ])('lets pass: %s', (text) => {
    expect(findSyntaxViolations(sources({ 'util/a.ts': text }))).toEqual([])
  })
})

describe('findHeadViolations()', () => {
  it('asks for a head comment and a kebab-case name, and index.ts at the top only', () => {
    const found = findHeadViolations([
      parseSource('util/aB.ts', 'export const a = 1\n'),
      parseSource('util/index.ts', '/** Head. */\n'),
      parseSource('index.ts', "/** Head. */\nexport { run } from './library/run.ts'\n"),
    ])
    expect(found).toEqual([
      'util/aB.ts: starts without a comment that says what it is responsible for',
      'util/aB.ts: the name is not kebab-case',
      'util/index.ts: index.ts is for the package entry only',
    ])
  })
})
