/**
 * `npm run build:standalone [x86_64|aarch64 …]`: dist/standalone/tsrun, the same TypeScript compiled by
 * Bun into one file with the natives inside; another architecture's is tsrun-<architecture>.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { sharedOptions } from './build.mjs'
import { bunFor } from './bun.mjs'
import { bundleCommand, DEFER, deferBuiltins, ENGINE } from './bundle-command.mjs'
import { collectLicenses } from './licenses.mjs'
import { ARCHITECTURES, compileLaunchers, compileNative } from './native.mjs'
import { addEntry } from './standalone-entry.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const HOST = Object.keys(ARCHITECTURES).find((arch) => ARCHITECTURES[arch].node === process.arch)
// Bun's runtime would else read these from the caller's working directory, before any line of ours.
const DEAF = ['dotenv', 'bunfig', 'tsconfig', 'package-json'].map(
  (file) => `--no-compile-autoload-${file}`,
)

/** Builds for one architecture; `log` gets one line. */
export async function buildStandalone(architecture = HOST, log = console.log) {
  const folder = join(root, 'native-bindings/build', `standalone-${process.pid}`)
  const name = architecture === HOST ? 'tsrun' : `tsrun-${architecture}`
  const target = join(root, 'dist/standalone', name)
  mkdirSync(folder, { recursive: true })
  try {
    const inputs = await bundle(folder, compileNative(root, architecture))
    compile(folder, architecture)
    const { standaloneEntry } = await compileLaunchers(root, architecture)
    const bunExecutable = readFileSync(join(folder, 'tsrun'))
    const executable = addEntry(bunExecutable, readFileSync(standaloneEntry), architecture)
    mkdirSync(dirname(target), { recursive: true })
    const bun = readFileSync(join(root, '.ci/templates/bun-licence.txt'), 'utf8')
    const licenses = join(dirname(target), 'THIRD-PARTY-LICENSES.txt')
    writeFileSync(licenses, `${bun}\n${collectLicenses(root, inputs)}`)
    writeFileSync(join(folder, 'tsrun'), executable)
    renameSync(join(folder, 'tsrun'), target)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  log(`standalone: dist/standalone/${name}`)
}

/** The scripts of the command and the engine's. Returns all of esbuild's inputs. */
async function bundle(folder, parts) {
  const esbuild = await import('esbuild')
  const embedded = parts.map(({ name, path }) => [name, readFileSync(path, 'base64')])
  const define = {
    'import.meta.url': '"file:///tsrun"',
    EMBEDDED_PARTS: JSON.stringify(Object.fromEntries(embedded)),
  }
  const target = 'es2023'
  await bundleCommand({ root, folder, target, define, twins: TWINS, banner: DEFER, footer: '' })
  const engine = join(folder, 'engine.cjs')
  const { metafile } = await esbuild.build({
    ...sharedOptions(),
    entryPoints: [ENGINE],
    outfile: engine,
    format: 'cjs',
    target,
    supported: { 'dynamic-import': false },
    define,
    banner: { js: `Bun.unsafe.setJITPolicy(1);${DEFER}` },
    plugins: [twins],
  })
  writeFileSync(engine, deferBuiltins(readFileSync(engine, 'utf8')))
  const start = readFileSync(join(root, '.ci/templates/standalone-banner.js'), 'utf8')
  writeFileSync(join(folder, 'tsrun.cjs'), `${start}require('./main.cjs')\n`)
  return Object.keys(metafile.inputs)
}

/** What is written for Node, and its twin for Bun. */
const TWINS = { 'koffi-backend.ts': 'bun-backend.ts', 'node-pty.ts': 'bun-pty.ts' }

const twins = {
  name: 'twins',
  setup(build) {
    build.onResolve({ filter: /\/(koffi-backend|node-pty)\.ts$/ }, ({ path }) => ({
      path: join(root, 'src/native', TWINS[basename(path)]),
    }))
  },
}

function compile(folder, architecture) {
  const scripts = readdirSync(folder).filter(
    (name) => name.endsWith('.cjs') && name !== 'tsrun.cjs',
  )
  const args = [
    'build',
    '--compile',
    '--bytecode',
    '--minify-syntax',
    '--minify-whitespace',
    // A command of the runtime is over before machine code pays off; the engine sets it back.
    '--compile-jit-policy=100',
    // Each is loaded when it is asked for, and there is one of each.
    ...scripts.map((name) => `--external=./${name}`),
    ...DEAF,
  ]
  if (architecture !== HOST) {
    const target = `--target=bun-linux-${ARCHITECTURES[architecture].node}`
    args.push(target, `--compile-executable-path=${bunFor(root, architecture)}`)
  }
  // Its own environment names no cache, no registry and no options for Bun.
  const env = { PATH: process.env.PATH ?? '', HOME: folder, TMPDIR: folder }
  const result = spawnSync(
    bunFor(root, HOST),
    [...args, './tsrun.cjs', ...scripts.map((name) => `./${name}`), '--outfile', 'tsrun'],
    {
      cwd: folder,
      env,
      encoding: 'utf8',
    },
  )
  if (result.error) throw new Error(`cannot run bun: ${result.error.message}`)
  if (result.status !== 0) throw new Error(`bun build: ${result.stderr.trim()}`)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const architectures = process.argv.slice(2)
  for (const architecture of architectures.length > 0 ? architectures : [HOST])
    await buildStandalone(architecture)
}
