/**
 * Installs and builds what this machine lacks: npm packages, Debian packages, the native parts, the
 * bundle. Needs Node alone, and does nothing when nothing is missing. Usage: node .ci/setup.mjs [build|test]
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { installDebianPackages } from './debian.mjs'
import { setupCriu } from './newer-criu.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const BUILD_INPUTS = ['src', 'native-bindings', '.ci', 'package.json', 'package-lock.json']

/** Brings the machine to where `npm run hello` (`build`) or every test (`test`) can run. */
export async function setup(goal, log = console.log) {
  checkMachine()
  installDebianPackages(goal === 'build' ? ['build'] : ['build', 'test'], log)
  if (goal !== 'build') setupCriu(log)
  installNpmPackages(log)
  const stamp = join(root, 'dist/.built-from')
  const inputs = hashInputs()
  if (!isStamped(stamp, inputs)) {
    const { build } = await import('./build.mjs')
    await build(log)
    writeFileSync(stamp, inputs)
  }
  if (goal !== 'build') await setupStandalone(inputs, log)
}

// Made from the same inputs, and removed by every other build.
async function setupStandalone(inputs, log) {
  const stamp = join(root, 'dist/standalone/.built-from')
  if (isStamped(stamp, inputs)) return
  const { buildStandalone } = await import('./standalone.mjs')
  await buildStandalone(undefined, log)
  writeFileSync(stamp, inputs)
}

function isStamped(stamp, inputs) {
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === inputs
}

function checkMachine() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major < 20 || (major === 20 && minor < 19))
    throw new Error(`Node.js ${process.versions.node} is older than 20.19: install a newer one`)
  if (process.platform !== 'linux' || !['x64', 'arm64'].includes(process.arch))
    throw new Error(
      `tsrun needs Linux on x86_64 or aarch64, not ${process.platform} ${process.arch}`,
    )
}

// npm keeps what it installed in node_modules/.package-lock.json: `npm ci` takes seconds, this does not.
function installNpmPackages(log) {
  const wanted = lockedPackages('package-lock.json')
  const installed = lockedPackages('node_modules/.package-lock.json')
  const isThere = ([path, { version, optional }]) =>
    optional || installed[path]?.version === version
  if (Object.entries(wanted).every(isThere)) return
  log('installing npm packages')
  const result = spawnSync('npm', ['ci', '--no-audit', '--no-fund'], {
    cwd: root,
    encoding: 'utf8',
  })
  if (result.error) throw new Error('npm is missing: install it (Debian: apt-get install npm)')
  if (result.status !== 0) throw new Error(`npm ci failed: ${result.stderr.trim()}`)
}

function lockedPackages(file) {
  const path = join(root, file)
  if (!existsSync(path)) return {}
  const { '': _, ...packages } = JSON.parse(readFileSync(path, 'utf8')).packages
  return packages
}

function hashInputs() {
  // A cross compiler that was installed since adds an architecture.
  const hash = createHash('sha256').update(`${process.version} ${crossCompilers().join(' ')}`)
  for (const file of BUILD_INPUTS.flatMap((input) => filesBelow(input)))
    hash.update(`\0${file}\0`).update(readFileSync(join(root, file)))
  return hash.digest('hex')
}

function crossCompilers() {
  const names = ['x86_64', 'aarch64'].map((arch) => `/usr/bin/${arch}-linux-gnu-gcc`)
  return names.filter((name) => existsSync(name))
}

function filesBelow(path) {
  if (path === 'native-bindings/build') return []
  if (statSync(join(root, path)).isFile()) return [path]
  const entries = readdirSync(join(root, path), { withFileTypes: true })
  return entries
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const child = `${path}/${entry.name}`
      return entry.isDirectory() ? filesBelow(child) : [child]
    })
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    await setup(process.argv[2] ?? 'test')
  } catch (error) {
    console.error(`setup: ${error.message}`)
    process.exitCode = 1
  }
}
