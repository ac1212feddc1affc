/** Bun for the standalone executable: one pinned version from npm, fetched once, checked by its hash. */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'

// No dependency of package.json: npm would put 100 MB on every machine that builds or installs tsrun,
// and refuse the whole installation where the package's architecture is another.
const VERSION = '1.4.5'
const PACKAGES = {
  x86_64: {
    name: '@oven/bun-linux-x64-baseline',
    integrity:
      'sha512-s8yMwYcFnnrA178gji0gZbkE2WVDej/Ti1x770oPfihxyRxSMNhGhiAQNXV53aDeraZxksdvKV/RAdQBCd0qPA==',
  },
  aarch64: {
    name: '@oven/bun-linux-aarch64',
    integrity:
      'sha512-4BXmsSKnjOrlGWqZV4x/oWa7AVoR+B6lCXddMzOAXBIm3t50eslg9wb66gmtW1AamEQ1l1CDvmmruysEhqOWMg==',
  },
}

/** Path of the bun executable for an architecture, as the kernel names it. */
export function bunFor(root, architecture) {
  const { name, integrity } = PACKAGES[architecture]
  const folder = join(root, 'rootfs-cache/cache', `bun-linux-${architecture}-${VERSION}`)
  const executable = join(folder, 'bin/bun')
  if (existsSync(executable)) return executable
  const download = `${folder}.partial-${process.pid}`
  try {
    mkdirSync(download, { recursive: true })
    const options = ['--silent', '--pack-destination', download]
    const tarball = join(download, run('npm', ['pack', ...options, `${name}@${VERSION}`]).trim())
    const actual = `sha512-${createHash('sha512').update(readFileSync(tarball)).digest('base64')}`
    if (actual !== integrity) throw new Error(`${name}@${VERSION} has the hash ${actual}`)
    run('tar', ['-xzf', tarball, '-C', download])
    rmSync(folder, { recursive: true, force: true })
    renameSync(join(download, 'package'), folder)
  } finally {
    rmSync(download, { recursive: true, force: true })
  }
  return executable
}

function run(command, args) {
  const result = spawnSync(command, args, { encoding: 'utf8' })
  if (result.error) throw new Error(`cannot run ${command}: ${result.error.message}`)
  if (result.status !== 0)
    throw new Error(`cannot fetch bun: ${command} ${args.join(' ')}: ${result.stderr.trim()}`)
  return result.stdout
}
