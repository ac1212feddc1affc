'use strict'
// Writes V8's compile cache for the bundle, as the Node that runs this sees it. Usage:
//   node compile-cache.cjs DIST. The commands below run first, so that the functions on their
// paths are in the cache compiled and not only pre-parsed. None of them changes the machine.
const { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } = require('node:fs')
const { tmpdir } = require('node:os')
const { join, resolve } = require('node:path')
const { Script } = require('node:vm')

const dist = resolve(process.argv[2])
const file = join(dist, 'main.cjs')
const script = new Script(readFileSync(file, 'latin1'), { filename: file })
const scratch = mkdtempSync(join(tmpdir(), 'tsrun-compile-cache-'))
const root = join(scratch, 'root')
const write = process.stdout.write

main().finally(() => rmSync(scratch, { recursive: true, force: true }))

async function main() {
  process.stdout.write = process.stderr.write = (_chunk, ...rest) => {
    rest.find((argument) => typeof argument === 'function')?.()
    return true
  }
  await run('oci', 'features')
  await run('oci', 'spec', '--bundle', scratch)
  await run('oci', '--root', root, 'create', '--bundle', join(scratch, 'none'), 'warm')
  await run('oci', '--root', root, 'list')
  for (const verb of ['state', 'start', 'kill', 'delete'])
    await run('oci', '--root', root, verb, 'warm')
  await run('run', '--help')
  await run('ps', '--help')
  process.exitCode = 0
  const cache = join(dist, 'compile-cache')
  mkdirSync(cache, { recursive: true })
  writeFileSync(join(cache, `${process.version}-${process.arch}`), script.createCachedData())
  process.stdout.write = write
}

/** Runs the bundle in this process until its event loop turns are done; it ends by exitCode, never by exit(). */
async function run(...argv) {
  process.argv = [process.execPath, join(dist, 'tsrun.cjs'), ...argv]
  process.env.TSRUN_ARGV0 = 'tsrun'
  script.runInThisContext()(require, { exports: {} }, file, dist)
  await new Promise((resolveLater) => setTimeout(resolveLater, 50))
}
