/**
 * Makes user-mode Linux from the newest sources of Debian with kernel.config: `node make-kernel.mjs DIRECTORY`
 * leaves DIRECTORY/result. Debian's own user-mode-linux has no cpuset, no PSI and half of nftables.
 */
import { readdirSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { openRelease } from '../../.ci/other-debian.mjs'
import { here } from './paths.mjs'
import { download, run, runRecipe } from './recipe.mjs'

// Traps by seccomp and several processors came with 6.16 and 6.19.
const SUITE = 'sid'

function main(directory) {
  const source = unpackSource(directory)
  const make = (...words) => run('make', ['-C', source, 'ARCH=um', ...words])
  make('-s', 'defconfig')
  // -m only joins the files; olddefconfig then answers what neither says.
  const config = join(source, '.config')
  run(join(source, 'scripts/kconfig/merge_config.sh'), [
    '-m',
    '-O',
    source,
    config,
    join(here, 'kernel.config'),
  ])
  make('-s', 'olddefconfig')
  make('-s', `-j${availableParallelism()}`, 'linux')
  run('strip', ['-o', join(directory, 'result'), join(source, 'linux')])
}

function unpackSource(directory) {
  const release = download(() => openRelease(SUITE, directory))
  release.fetch(release.dependencies('linux-source'), { alone: true })
  release.close()
  const archives = join(directory, 'root/usr/src')
  const archive = readdirSync(archives).find((name) => name.endsWith('.tar.xz'))
  run('tar', ['-C', archives, '-xf', join(archives, archive)])
  return join(archives, archive.slice(0, -'.tar.xz'.length))
}

runRecipe(main)
