/**
 * A criu that works on this kernel, for the tests of checkpoints: the distribution's when that does, or
 * one of a newer Debian, unpacked with its libraries in rootfs-cache/cache/criu. Old ones do not know the
 * vDSO of new kernels.
 */
import { spawnSync } from 'node:child_process'
import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openRelease } from './other-debian.mjs'

const SUITE = 'trixie'
const MULTIARCH = { x64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' }
const cache = join(dirname(dirname(fileURLToPath(import.meta.url))), 'rootfs-cache/cache')
const fetched = join(cache, 'criu')

/** Fetches one unless one is there; says so when none can work here. */
export function setupCriu(log) {
  if (works('/usr/sbin/criu') || works(join(fetched, 'criu'))) return
  log(`fetching criu of Debian ${SUITE}`)
  const making = `${fetched}.tmp`
  rmSync(making, { recursive: true, force: true })
  download(making)
  writeFileSync(join(making, 'criu'), wrapper(), { mode: 0o755 })
  rmSync(fetched, { recursive: true, force: true })
  renameSync(making, fetched)
  const { status, stderr } = spawnSync(join(fetched, 'criu'), ['check'], { encoding: 'utf8' })
  if (status !== 0)
    log(
      `criu does not work on this kernel, its tests are skipped: ${stderr.trim().split('\n').at(-1)}`,
    )
}

function works(path) {
  return spawnSync(path, ['check']).status === 0
}

function download(directory) {
  try {
    const release = openRelease(SUITE, directory)
    release.fetch(['criu'])
    release.close()
  } catch (error) {
    throw new Error(`cannot fetch criu: ${error.message}`)
  }
}

// The newer C library comes along, so it is started by its own loader. 130 is criu's FI_NO_BREAKPOINTS: hardware
// breakpoints never fire in some virtual machines, where a dump waits for them for ever; single steps always do.
function wrapper() {
  const multiarch = MULTIARCH[process.arch]
  const loader = { x64: 'lib64/ld-linux-x86-64.so.2', arm64: 'lib/ld-linux-aarch64.so.1' }[
    process.arch
  ]
  const root = join(fetched, 'root/usr')
  const libraries = join(root, 'lib', multiarch)
  return `#!/bin/sh\nexport CRIU_FAULT=130\nexec ${join(root, loader)} --library-path ${libraries} ${join(root, 'sbin/criu')} "$@"\n`
}
