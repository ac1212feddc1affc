/** `npm run build`: native parts and the bundle into dist/, complete enough to be moved or packed. */
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { bundleCommand, DEFER, deferBuiltins, ENGINE } from './bundle-command.mjs'
import { collectLicenses } from './licenses.mjs'
import { buildNative } from './native.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
// A build that fails leaves the dist/ before it, and a running tsrun keeps its files until the swap.
const staging = join(root, `native-bindings/build/dist-${process.pid}`)

/** Builds everything; `log` gets one line a step. */
export async function build(log = console.log) {
  try {
    mkdirSync(staging, { recursive: true })
    for (const line of await buildNative(root, staging)) log(line)
    const inputs = await bundle(log)
    writeFileSync(
      join(staging, 'THIRD-PARTY-LICENSES.txt'),
      collectLicenses(root, inputs, ['node_modules/koffi']),
    )
    swap(join(root, 'dist'))
  } finally {
    rmSync(staging, { recursive: true, force: true })
  }
}

function swap(dist) {
  const old = `${staging}-old`
  if (existsSync(dist)) renameSync(dist, old)
  renameSync(staging, dist)
  rmSync(old, { recursive: true, force: true })
}

async function bundle(log) {
  const esbuild = await import('esbuild')
  const inputs = new Set()
  const remember = (result) => {
    for (const input of Object.keys(result.metafile.inputs)) inputs.add(input)
    return result
  }
  await bundleCommand({
    root,
    folder: staging,
    target: sharedOptions().target,
    define: { 'import.meta.url': 'importMetaUrl' },
    twins: {},
    ...scriptFrame(),
  })
  remember(await esbuild.build(engineOptions()))
  const engine = join(staging, 'engine.cjs')
  writeFileSync(engine, deferBuiltins(readFileSync(engine, 'utf8')))
  writeLauncher()
  writeManual()
  writeCompileCache(log)
  log('bundle: dist/tsrun')
  if (existsSync(join(root, 'src/index.ts'))) {
    remember(await esbuild.build(libraryOptions()))
    writeTypes()
    log('bundle: dist/index.js')
  }
  return inputs
}

/** What the command, the library and the standalone executable have in common. */
export function sharedOptions() {
  return {
    absWorkingDir: root,
    bundle: true,
    platform: 'node',
    target: 'node20.19',
    charset: 'ascii',
    legalComments: 'none',
    minifyWhitespace: true,
    minifySyntax: true,
    metafile: true,
    alias: { 'string-width': join(root, '.ci/templates/string-width.mjs') },
    logLevel: 'warning',
  }
}

/**
 * CommonJS: Node 20 starts it 9 ms faster than an ES module, and V8's compile cache holds it whole. The engine is a
 * file of its own, which a command of the runtime does not even read.
 */
function engineOptions() {
  const { banner, footer } = scriptFrame()
  return {
    ...sharedOptions(),
    entryPoints: [ENGINE],
    outfile: join(staging, 'engine.cjs'),
    format: 'cjs',
    // import() of node: modules would need a callback of vm.Script.
    supported: { 'dynamic-import': false },
    define: { 'import.meta.url': 'importMetaUrl' },
    banner: { js: banner },
    footer: { js: footer },
  }
}

/** What makes the function of a script that loader.cjs calls. */
function scriptFrame() {
  const url = '"file://"+encodeURI(__filename).replace(/[?#]/g,encodeURIComponent)'
  return {
    banner: `(function(require,module,__filename,__dirname){var exports=module.exports,importMetaUrl=${url};${DEFER}`,
    footer: '})',
  }
}

function libraryOptions() {
  return {
    ...sharedOptions(),
    entryPoints: ['src/index.ts'],
    outdir: staging,
    chunkNames: 'chunks/[name]-[hash]',
    format: 'esm',
    splitting: true,
    // The CommonJS dependencies call require() for node: modules.
    banner: {
      js: 'import{createRequire as tsrunCreateRequire}from"node:module";const require=tsrunCreateRequire(import.meta.url);',
    },
  }
}

function writeLauncher() {
  const template = (name) => readFileSync(join(root, '.ci/templates', name), 'utf8')
  const launcher = join(staging, 'tsrun')
  writeFileSync(launcher, template('launcher.sh').replace('@NODE@', process.execPath))
  chmodSync(launcher, 0o755)
  writeFileSync(join(staging, 'tsrun.cjs'), template('loader.cjs'))
}

function writeCompileCache(log) {
  const script = join(root, '.ci/templates/compile-cache.cjs')
  const env = { PATH: process.env.PATH ?? '' }
  const result = spawnSync(process.execPath, ['--no-warnings', script, staging], {
    env,
    encoding: 'utf8',
  })
  if (result.status !== 0)
    log(`bundle: without a compile cache (${(result.stderr || String(result.error)).trim()})`)
}

/** Man pages and completions, as the command itself prints them: made of the tables that --help is made of. */
function writeManual() {
  const tsrun = (...args) => {
    const result = spawnSync(join(staging, 'tsrun'), args, { encoding: 'utf8' })
    if (result.status !== 0) throw new Error(`cannot run tsrun ${args.join(' ')}: ${result.stderr}`)
    return result.stdout
  }
  tsrun('man', '-o', join(staging, 'man'))
  mkdirSync(join(staging, 'completions'))
  for (const [shell, file] of [
    ['bash', 'tsrun'],
    ['zsh', '_tsrun'],
    ['fish', 'tsrun.fish'],
  ])
    writeFileSync(join(staging, 'completions', file), tsrun('completion', shell))
}

function writeTypes() {
  const tsc = join(root, 'node_modules/.bin/tsc')
  const result = spawnSync(
    tsc,
    ['-p', join(root, '.ci/tsconfig.types.json'), '--outDir', join(staging, 'types')],
    { encoding: 'utf8' },
  )
  if (result.status !== 0) throw new Error(`cannot write type declarations: ${result.stdout}`)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await build()
