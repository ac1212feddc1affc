'use strict'
// Writes V8's compile cache for the bundle, as the Node that runs this sees it. Usage:
//   node compile-cache.cjs DIST. The commands below run first, so that the functions on their
// paths are in the cache compiled and not only pre-parsed. None of them changes the machine.
const { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } = require('node:fs')
const { tmpdir } = require('node:os')
const { join, resolve } = require('node:path')
const { Script } = require('node:vm')

const dist = resolve(process.argv[2])
const scripts = new Map()
const scratch = mkdtempSync(join(tmpdir(), 'tsrun-compile-cache-'))
const root = join(scratch, 'root')
const write = process.stdout.write

main().finally(() => rmSync(scratch, { recursive: true, force: true }))

async function main() {
  process.stdout.write = process.stderr.write = (_chunk, ...rest) => {
    rest.find((argument) => typeof argument === 'function')?.()
    return true
  }
  // This process goes on when a command ends.
  process.exit = () => undefined
  await run('oci', 'features')
  await run('oci', 'spec', '--bundle', scratch)
  // What `create` does with a config, up to the plan.
  addFilter(join(scratch, 'config.json'))
  mkdirSync(join(scratch, 'rootfs'))
  await run('oci', 'explain', '--bundle', scratch)
  await run('oci', '--root', root, 'create', '--bundle', join(scratch, 'none'), 'warm')
  await run('oci', '--root', root, 'list')
  for (const verb of ['state', 'start', 'kill', 'delete'])
    await run('oci', '--root', root, verb, 'warm')
  await run('run', '--help')
  await run('ps', '--help')
  process.exitCode = 0
  const cache = join(dist, 'compile-cache')
  mkdirSync(cache, { recursive: true })
  for (const [name, script] of scripts) {
    const file = `${process.version}-${process.arch}-${name}`
    writeFileSync(join(cache, file), script.createCachedData())
  }
  process.stdout.write = write
}

/** A filter with each kind of rule that engines use. */
function addFilter(path) {
  const config = JSON.parse(readFileSync(path, 'utf8'))
  const rule = (name, op) => ({
    names: [name],
    action: 'SCMP_ACT_ALLOW',
    args: [{ index: 0, value: 8, valueTwo: 0, op }],
  })
  config.linux.seccomp = {
    defaultAction: 'SCMP_ACT_ERRNO',
    architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32', 'SCMP_ARCH_AARCH64'],
    syscalls: [
      { names: ['read', 'write', 'openat', 'accept', 'chown32'], action: 'SCMP_ACT_ALLOW' },
      rule('personality', 'SCMP_CMP_EQ'),
      rule('clone', 'SCMP_CMP_MASKED_EQ'),
      { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: 38 },
    ],
  }
  writeFileSync(path, JSON.stringify(config))
}

/** Runs the bundle in this process until its event loop turns are done. */
async function run(...argv) {
  process.argv = [process.execPath, join(dist, 'tsrun.cjs'), ...argv]
  process.env.TSRUN_ARGV0 = 'tsrun'
  load('main')
  await new Promise((resolveLater) => setTimeout(resolveLater, 50))
}

/** As in loader.cjs, and anew for each command. */
function load(name, loaded = new Map()) {
  const known = loaded.get(name)
  if (known !== undefined) return known.exports
  const file = join(dist, `${name}.cjs`)
  if (!scripts.has(name))
    scripts.set(name, new Script(readFileSync(file, 'latin1'), { filename: file }))
  const module = { exports: {} }
  loaded.set(name, module)
  const requireHere = (id) => (id.startsWith('./') ? load(id.slice(2, -4), loaded) : require(id))
  scripts.get(name).runInThisContext()(requireHere, module, file, dist)
  return module.exports
}
