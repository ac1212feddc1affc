/** The standalone executable in hands that mean it no good: its environment, its working directory, its name. */
import { spawnSync } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildBusyboxImage } from '../../rootfs-cache/build-busybox-image.mjs'
import { missing } from '../support/requires.ts'
import { createTempDir } from '../support/temp-dir.ts'

const STANDALONE = fileURLToPath(new URL('../../dist/standalone/tsrun', import.meta.url))
const temporary = createTempDir('tsrun-standalone-')
/** Everything is somewhere else: no Node, no natives, no sources around it. */
const tsrun = join(temporary.path, 'tsrun')
const trap = join(temporary.path, 'trap.js')
const sprung = join(temporary.path, 'sprung')
const VERSION = /^tsrun version \d+\.\d+\.\d+\n/

function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}, cwd = '/') {
  const { error, status, stdout, stderr } = spawnSync(command, args, {
    cwd,
    env,
    encoding: 'utf8',
    timeout: 60_000,
  })
  if (error !== undefined) throw error
  return { status, stdout, stderr }
}

describe.skipIf(missing('root', 'standalone'))('the standalone executable', () => {
  beforeAll(() => {
    copyFileSync(STANDALONE, tsrun)
    writeFileSync(trap, `require('node:fs').writeFileSync(${JSON.stringify(sprung)}, '')`)
  })
  afterAll(() => temporary[Symbol.dispose]())

  it('is stopped by nothing that Bun and Node read from the environment', () => {
    const hostile: NodeJS.ProcessEnv = {
      BUN_BE_BUN: '1',
      BUN_OPTIONS: `--preload ${trap}`,
      BUN_INSPECT: '1',
      BUN_INSPECT_PRELOAD: trap,
      BUN_JSC_dumpOptions: '2',
      BUN_BYTECODE_ORDER_OUT: sprung,
      BUN_BYTECODE_ORDER_NAMES_OUT: sprung,
      BUN_RUNTIME_TRANSPILER_CACHE_PATH: join(temporary.path, 'cache'),
      MIMALLOC_SHOW_STATS: '1',
      MIMALLOC_VERBOSE: '1',
      NODE_OPTIONS: `--require ${trap}`,
      NODE_DEBUG: 'fs,net,module,child_process',
      NODE_V8_COVERAGE: join(temporary.path, 'coverage'),
    }
    const before = readdirSync(temporary.path)
    for (const [name, value] of Object.entries(hostile)) {
      const { status, stdout, stderr } = run(tsrun, ['--version'], { [name]: value })
      expect([name, status, stderr]).toEqual([name, 0, ''])
      expect(stdout).toMatch(VERSION)
    }
    const verb = run(tsrun, ['oci', 'state', 'nobody'], hostile)
    expect(verb.status).toBe(1)
    expect(verb.stderr).toMatch(/^time="[^"]*" level=error msg="container .* does not exist"\n$/)
    expect(readdirSync(temporary.path)).toEqual(before)
  })

  it('reads nothing from the directory that it is started in', () => {
    const cwd = join(temporary.path, 'cwd')
    mkdirSync(join(cwd, 'node_modules/tsrun'), { recursive: true })
    for (const name of ['.env', '.env.local', '.env.production', '.env.development'])
      writeFileSync(join(cwd, name), `BUN_OPTIONS=--preload ${trap}\nTSRUN_ARGV0=runc\n`)
    writeFileSync(join(cwd, 'bunfig.toml'), `preload = ["${trap}"]\n`)
    writeFileSync(join(cwd, 'package.json'), '{ "type": broken')
    writeFileSync(join(cwd, 'tsconfig.json'), '{ "compilerOptions": broken')
    copyFileSync(trap, join(cwd, 'node_modules/tsrun/index.js'))
    for (const name of ['tsrun', 'tsrun.cjs', 'engine.cjs']) copyFileSync(trap, join(cwd, name))
    const { status, stdout, stderr } = run(tsrun, ['--version'], { HOME: cwd }, cwd)
    expect([status, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(VERSION)
    expect(run(tsrun, ['ps', '--help'], { HOME: cwd }, cwd).stdout).toContain('--filter')
    expect(existsSync(sprung)).toBe(false)
  })

  it('starts in a directory that was removed, as a shim does that outlives a container', () => {
    const gone = join(temporary.path, 'gone')
    mkdirSync(gone)
    const script = 'rmdir "$1" && exec "$0" oci list --quiet'
    const { status, stderr } = run('/bin/sh', ['-c', script, tsrun, gone], {}, gone)
    expect([status, stderr]).toEqual([0, ''])
  })

  it('hands its arguments to nobody else', () => {
    for (const flag of ['--bun', '--inspect', `--preload=${trap}`, '--smol', '-e', '--eval=1']) {
      const { status, stderr } = run(tsrun, ['oci', flag, 'state', 'nobody'])
      expect([flag, status]).toEqual([flag, 1])
      expect(stderr).toContain('flag provided but not defined')
    }
    expect(existsSync(sprung)).toBe(false)
  })

  it('starts with no environment, a large one, and by a name of another runtime', () => {
    expect(run(tsrun, ['--version'], {}).stdout).toMatch(VERSION)
    const large = Object.fromEntries(
      Array.from({ length: 400 }, (_, i) => [`LARGE_${i}`, 'x'.repeat(2000)]),
    )
    expect(run(tsrun, ['--version'], large).stdout).toMatch(VERSION)
    const runc = join(temporary.path, 'runc')
    symlinkSync(tsrun, runc)
    // The engine's own `list` does not exist, the runtime's does.
    expect(run(runc, ['list', '--quiet']).status).toBe(0)
  })

  it('runs a container with the variables that its caller has, and writes no file of its own', async () => {
    const scratch = join(temporary.path, 'scratch')
    mkdirSync(scratch)
    const roots = ['data', 'state'].map((name) => `--${name}-root=${join(temporary.path, name)}`)
    const env = { TMPDIR: scratch, HOME: scratch, BUN_OPTIONS: 'a b', EMPTY: '', UMLAUT: 'ä=ö' }
    expect(run(tsrun, [...roots, 'load', '-i', await buildBusyboxImage()], env).status).toBe(0)
    const wanted = ['BUN_OPTIONS', 'EMPTY', 'UMLAUT', 'NOT_THERE'].flatMap((name) => ['-e', name])
    const command = ['run', '--rm', '--init', ...wanted, 'busybox', 'env']
    const { status, stdout, stderr } = run(tsrun, [...roots, ...command], env)
    expect([status, stderr]).toEqual([0, ''])
    expect(stdout.split('\n')).toEqual(
      expect.arrayContaining(['BUN_OPTIONS=a b', 'EMPTY=', 'UMLAUT=ä=ö']),
    )
    expect(stdout).not.toContain('NOT_THERE')
    expect(readdirSync(scratch)).toEqual([])
  })

  it('has the licences of what is in it beside it', () => {
    const text = readFileSync(join(STANDALONE, '../THIRD-PARTY-LICENSES.txt'), 'utf8')
    for (const name of ['Bun', 'JavaScriptCore', 'yargs']) expect(text).toContain(name)
    expect(text).not.toContain('koffi')
  })
})
