'use strict'
// Checks Node, then runs the bundle with V8's compile cache when the build left one for this very Node
// (module.enableCompileCache came with Node 22, and would write while users run).
const KEPT = 'TSRUN_KEPT_'
/** Modules of the scripts that have run, by name. */
const loaded = new Map()

const [major, minor] = process.versions.node.split('.').map(Number)
if (major > 20 || (major === 20 && minor >= 19)) {
  start()
} else {
  process.stderr.write(
    `tsrun: cannot start: Node.js ${process.versions.node} (${process.execPath}) is older than 20.19; hint: name a newer one in TSRUN_NODE\n`,
  )
  process.exitCode = 125
}

function start() {
  globalThis[Symbol.for('tsrun.firstLine')] = process.hrtime.bigint()
  for (const name of Object.keys(process.env)) if (name.startsWith(KEPT)) giveBack(name)
  const certificates = process.env.TSRUN_EXTRA_CA_CERTS
  if (certificates !== undefined) process.env.NODE_EXTRA_CA_CERTS = certificates
  load('main')
}

/** Runs a script of the bundle, once, and returns what it exports. */
function load(name) {
  const known = loaded.get(name)
  if (known !== undefined) return known.exports
  const { readFileSync } = require('node:fs')
  const { Script } = require('node:vm')
  const file = `${__dirname}/${name}.cjs`
  let cachedData
  try {
    cachedData = readFileSync(
      `${__dirname}/compile-cache/${process.version}-${process.arch}-${name}`,
    )
  } catch {
    // No cache for this Node: V8 compiles the source, 10 ms slower.
  }
  // latin1: the bundle is ASCII, and V8 keeps it in one byte a character without decoding.
  const script = new Script(readFileSync(file, 'latin1'), { filename: file, cachedData })
  const module = { exports: {} }
  loaded.set(name, module)
  script.runInThisContext()(requireHere, module, file, __dirname)
  return module.exports
}

function requireHere(id) {
  return id.startsWith('./') ? load(id.slice(2, -'.cjs'.length)) : require(id)
}

function giveBack(name) {
  process.env[name.slice(KEPT.length)] = process.env[name]
  delete process.env[name]
}

module.exports = { start }
