/** The packed tarball, installed where there is no compiler and no network, and the command it gives. */
import { spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildBusyboxImage } from '../../rootfs-cache/build-busybox-image.mjs'
import { missing } from '../support/requires.ts'
import { createTempDir } from '../support/temp-dir.ts'

const repository = fileURLToPath(new URL('../..', import.meta.url))
const temporary = createTempDir('tsrun-package-')
const prefix = join(temporary.path, 'prefix')
const tools = join(temporary.path, 'tools')
const tsrun = join(prefix, 'bin/tsrun')
const installed = join(prefix, 'lib/node_modules/tsrun')

function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}, cwd = '/') {
  const { error, status, stdout, stderr } = spawnSync(command, args, {
    cwd,
    env,
    encoding: 'utf8',
    timeout: 100_000,
  })
  if (error !== undefined) throw error
  return { status, stdout, stderr }
}

function succeed(command: string, args: readonly string[], env?: NodeJS.ProcessEnv, cwd?: string) {
  const { status, stdout, stderr } = run(command, args, env, cwd)
  expect(stderr).toBe('')
  expect(status).toBe(0)
  return stdout
}

/** Each file of the installation with its size and the time of its last change. */
function inventory(): string[] {
  return readdirSync(installed, { recursive: true, encoding: 'utf8' })
    .sort()
    .map((path) => {
      const { size, mtimeMs } = statSync(join(installed, path))
      return `${path} ${size} ${mtimeMs}`
    })
}

describe.skipIf(missing('root', 'command:npm'))('the npm package', () => {
  beforeAll(() => {
    // A PATH with node, npm and a shell: no compiler to fall back to.
    mkdirSync(tools)
    const npm = run('sh', ['-c', 'command -v npm'], process.env).stdout.trim()
    symlinkSync(process.execPath, join(tools, 'node'))
    symlinkSync(realpathSync(npm), join(tools, 'npm'))
    symlinkSync('/bin/sh', join(tools, 'sh'))
    const env = { PATH: tools, HOME: temporary.path, npm_config_update_notifier: 'false' }
    const [packed] = JSON.parse(
      succeed(
        '/bin/sh',
        ['-c', 'exec npm pack --json --ignore-scripts --pack-destination "$0"', temporary.path],
        env,
        repository,
      ),
    )
    const options = ['--offline', '--ignore-scripts', '--no-audit', '--no-fund', '--prefix', prefix]
    succeed(
      '/bin/sh',
      ['-c', 'exec npm install -g "$@"', 'sh', ...options, join(temporary.path, packed.filename)],
      env,
    )
  })
  afterAll(() => temporary[Symbol.dispose]())

  it('carries the natives of both architectures, the licences, and no sources', () => {
    for (const architecture of ['x86_64', 'aarch64']) {
      const folder = join(installed, 'dist/native', architecture)
      const parts = [
        'koffi.node',
        'libtsrun.so',
        'tsrun-init',
        'tsrun-monitor',
        'tsrun-proxy',
        'tsrun-reaper',
        'tsrun-resolver',
      ]
      expect(readdirSync(folder)).toEqual(expect.arrayContaining(parts))
      const machine = readFileSync(join(folder, 'tsrun-init')).readUInt16LE(18)
      expect(machine).toBe(architecture === 'x86_64' ? 62 : 183)
    }
    expect(existsSync(join(installed, 'LICENSE'))).toBe(true)
    expect(readFileSync(join(installed, 'dist/THIRD-PARTY-LICENSES.txt'), 'utf8')).toContain(
      'koffi',
    )
    for (const path of ['src', 'test', 'node_modules', '.ci', 'dist/.built-from'])
      expect([path, existsSync(join(installed, path))]).toEqual([path, false])
  })

  it('starts with an empty environment, and through symbolic links', () => {
    const version = succeed(tsrun, ['--version'])
    expect(version).toMatch(/^tsrun version \d+\.\d+\.\d+\n/)
    const folder = join(temporary.path, 'a folder')
    mkdirSync(folder)
    symlinkSync(tsrun, join(folder, 'absolute'))
    symlinkSync('absolute', join(folder, 'relative'))
    symlinkSync('a folder', join(temporary.path, 'folder'))
    expect(succeed(join(temporary.path, 'folder/relative'), ['--version'])).toBe(version)
    expect(succeed('./relative', ['--version'], {}, folder)).toBe(version)
    expect(succeed('sh', ['relative', '--version'], { PATH: '/bin' }, folder)).toBe(version)
  })

  it('does not listen to the environment of other Node programs', () => {
    const cache = join(temporary.path, 'compile-cache')
    const env = {
      NODE_OPTIONS: '--require /nosuchfile --no-such-flag',
      NODE_EXTRA_CA_CERTS: '/nosuchfile',
      NODE_DEBUG: 'module,fs',
      NODE_COMPILE_CACHE: cache,
    }
    expect(succeed(tsrun, ['--version'], env)).toMatch(/^tsrun version/)
    expect(existsSync(cache)).toBe(false)
  })

  it('loads, runs and writes nothing that its environment names', async () => {
    const sprung = join(temporary.path, 'sprung')
    const source = join(temporary.path, 'provider.c')
    const library = join(temporary.path, 'provider.so')
    const open = `fclose(fopen(${JSON.stringify(sprung)}, "w"))`
    writeFileSync(
      source,
      `#include <stdio.h>\n__attribute__((constructor)) static void run(void) { ${open}; }\n`,
    )
    succeed('gcc', ['-shared', '-fPIC', '-o', library, source], process.env)
    const config = join(temporary.path, 'openssl.cnf')
    writeFileSync(
      config,
      [
        'nodejs_conf = init',
        '[init]',
        'providers = list',
        '[list]',
        'evil = evil',
        '[evil]',
        `module = ${library}`,
        'activate = 1\n',
      ].join('\n'),
    )
    const trap = join(temporary.path, 'trap.cjs')
    writeFileSync(trap, `require('node:fs').writeFileSync(${JSON.stringify(sprung)}, '')`)
    const hostile: NodeJS.ProcessEnv = {
      OPENSSL_CONF: config,
      OPENSSL_MODULES: temporary.path,
      OPENSSL_ENGINES: temporary.path,
      NODE_OPTIONS: `--require ${trap}`,
      NODE_CHANNEL_FD: '1',
      NODE_UNIQUE_ID: '1',
      NODE_TEST_CONTEXT: 'child-v8',
      NODE_REDIRECT_WARNINGS: sprung,
      NODE_V8_COVERAGE: sprung,
      NODE_ICU_DATA: temporary.path,
      NODE_PATH: temporary.path,
    }
    for (const [name, value] of Object.entries(hostile)) {
      expect([name, succeed(tsrun, ['--version'], { [name]: value })]).toEqual([
        name,
        expect.stringMatching(/^tsrun version/),
      ])
      expect([name, existsSync(sprung)]).toEqual([name, false])
    }
    // They are the caller's all the same: `run -e NAME` passes them on.
    const flags = ['data', 'state'].map((name) => `--${name}-root=${temporary.path}/env-${name}`)
    succeed(tsrun, [...flags, 'load', '-i', await buildBusyboxImage()])
    const pass = Object.keys(hostile).flatMap((name) => ['-e', name])
    const script = 'env | grep -E "^(NODE|OPENSSL|TSRUN)_" | sort'
    const words = [...flags, 'run', '--rm', ...pass, 'busybox', 'sh', '-c', script]
    const seen = succeed(tsrun, words, hostile)
    const wanted = Object.entries(hostile).map(([name, value]) => `${name}=${value}\n`)
    expect(seen).toBe(wanted.sort().join(''))
  })

  it('says in a sentence which Node it cannot use', () => {
    const named = run(tsrun, ['--version'], { TSRUN_NODE: '/nosuchnode' })
    expect(named.status).toBe(125)
    expect(named.stderr).toMatch(/^tsrun: cannot start: TSRUN_NODE "\/nosuchnode" .*\n$/)
    const pretend = 'Object.defineProperty(process.versions, "node", { value: "18.20.4" });'
    const load = `${pretend} require(${JSON.stringify(join(installed, 'dist/tsrun.cjs'))})`
    const old = run(process.execPath, ['-e', load])
    expect(old.status).toBe(125)
    expect(old.stderr).toMatch(
      /^tsrun: cannot start: Node.js 18.20.4 .* older than 20.19; hint: .*\n$/,
    )
  })

  it('runs a container, and writes nothing into its own folder', async () => {
    const before = inventory()
    const roots = ['data', 'state'].map((name) => `--${name}-root=${join(temporary.path, name)}`)
    const image = await buildBusyboxImage()
    succeed(tsrun, [...roots, 'load', '-i', image])
    expect(succeed(tsrun, [...roots, 'run', '--rm', 'busybox', 'echo', 'packed'])).toBe('packed\n')
    expect(inventory()).toEqual(before)
  })

  it('gives Node programs the library with its types', () => {
    const program =
      'import("tsrun").then(({ run, TsrunError }) => console.log(typeof run, typeof TsrunError))'
    const folder = join(temporary.path, 'program')
    mkdirSync(join(folder, 'node_modules'), { recursive: true })
    symlinkSync(installed, join(folder, 'node_modules/tsrun'))
    expect(succeed(process.execPath, ['-e', program], {}, folder)).toBe('function function\n')
    expect(existsSync(join(installed, 'dist/types/index.d.ts'))).toBe(true)
  })
})
