/** House rules for the C of native-bindings: no warnings, nothing an analyser finds, short functions. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const nativeBindings = fileURLToPath(new URL('../../native-bindings', import.meta.url))
const CORE = ['interpreter.c', 'verify.c', 'freestanding.c']
const LAUNCHER = ['launch.c', 'launch-main.c', 'launch-standalone.c', 'load-interpreter.c']
const sources = readdirSync(nativeBindings).filter((name) => name.endsWith('.c'))
const HELPERS = sources.filter((name) => /^(?:resolver|proxy|helper)/.test(name))
const fuzz = readdirSync(join(nativeBindings, 'fuzz'))
  .filter((name) => name.endsWith('.c'))
  .map((name) => join('fuzz', name))
const FLAGS = [
  '-std=c17',
  '-ffreestanding',
  '-fno-stack-protector',
  '-Wall',
  '-Wextra',
  '-Werror',
  '-Wshadow',
  '-Wconversion',
  '-Wno-sign-conversion',
  '-Wstrict-prototypes',
]

let directory = ''

function has(tool: string): boolean {
  return spawnSync(tool, ['--version']).status === 0
}

function run(tool: string, args: readonly string[]): void {
  const { stdout, stderr, status } = spawnSync(tool, args, {
    cwd: nativeBindings,
    encoding: 'utf8',
  })
  expect(`${stdout}${stderr}`, `${tool} ${args.join(' ')}`).toBe('')
  expect(status).toBe(0)
}

/** First line and length of each function, found by how clang-format lays them out. */
function functions(source: string): { line: number; length: number }[] {
  const found: { line: number; length: number }[] = []
  let start: number | undefined
  source.split('\n').forEach((text, i) => {
    if (start === undefined && /^[a-z_].*\(.*[^;]$/.test(text)) start = i
    if (/;$/.test(text) && start === i) start = undefined
    if (text !== '}' || start === undefined) return
    found.push({ line: start + 1, length: i - start + 1 })
    start = undefined
  })
  return found
}

describe('native-bindings', () => {
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'tsrun-c-'))
  })
  afterAll(() => {
    rmSync(directory, { recursive: true, force: true })
  })

  it.skipIf(!has('clang'))('builds with clang without a warning (needs clang)', () => {
    const clang = (output: string, flags: readonly string[], files: readonly string[]) =>
      run('clang', [
        ...FLAGS,
        '-Os',
        '-nostdlib',
        ...flags,
        '-o',
        join(directory, output),
        ...files,
      ])
    clang('tsrun-init', ['-static'], ['init-main.c', 'memory.c', ...CORE])
    clang('libtsrun.so', ['-shared', '-fPIC'], ['library.c', ...CORE])
    const refused = spawnSync(join(directory, 'tsrun-init'), ['no number'])
    expect(refused.status).toBe(120)
    for (const source of sources) run('clang', [...FLAGS, '-fsyntax-only', source])
  })

  it('gives gcc -fanalyzer nothing to say', () => {
    for (const source of sources) {
      const object = join(directory, 'analyzed.o')
      run('gcc', [...FLAGS, '-O2', '-fanalyzer', '-c', '-o', object, source])
    }
  }, 120_000)

  it('has functions of at most 60 lines and files of at most 400', () => {
    let count = 0
    for (const source of [...sources, ...fuzz]) {
      const text = readFileSync(join(nativeBindings, source), 'utf8')
      expect(text.split('\n').length, source).toBeLessThan(400)
      for (const { line, length } of functions(text)) {
        count++
        expect(length, `${source}:${line}`).toBeLessThanOrEqual(60)
      }
    }
    expect(count).toBeGreaterThan(100)
  })

  it.skipIf(!has('clang-format'))('is laid out by clang-format (needs clang-format)', () => {
    const ours = ['init-main.c', 'memory.c', 'library.c', ...LAUNCHER, ...CORE, ...HELPERS, ...fuzz]
    run('clang-format', ['--dry-run', '-Werror', ...ours])
  })
})
