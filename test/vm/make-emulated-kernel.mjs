/**
 * Makes what the emulated machine boots: `node make-emulated-kernel.mjs DIRECTORY` leaves DIRECTORY/result with
 * Debian's kernel, the modules of it that containers ask for, and an initial root that finds the disks.
 */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { openRelease } from '../../.ci/other-debian.mjs'
import { here } from './paths.mjs'
import { captured, download, run, runRecipe } from './recipe.mjs'

const SUITE = 'trixie'
const META_PACKAGE = 'linux-image-amd64'
const ROOT_MODULES = ['virtio_blk', 'ext4']
const MODULES = [
  ...['arch/x86/crypto', 'block', 'crypto', 'lib', 'mm'],
  ...['8021q', '802', '9p', 'bridge', 'core', 'ipv4', 'ipv6', 'llc', 'netfilter', 'netlink'].map(
    net,
  ),
  ...['packet', 'sched', 'unix', 'xfrm'].map(net),
  ...[
    '9p',
    'autofs',
    'binfmt_misc.ko.xz',
    'ext4',
    'fuse',
    'jbd2',
    'mbcache.ko.xz',
    'netfs',
    'overlayfs',
  ].map((name) => `fs/${name}`),
  ...['block/loop.ko.xz', 'block/virtio_blk.ko.xz', 'char/hw_random', 'virtio'].map(driver),
  ...['dummy', 'ipvlan', 'macvlan', 'tap', 'tun', 'veth', 'vxlan'].map((name) =>
    driver(`net/${name}`),
  ),
]
const DISK_SIZE = '256M'

function net(name) {
  return `net/${name}`
}

function driver(name) {
  return `drivers/${name}`
}

function main(directory) {
  const result = join(directory, 'result')
  mkdirSync(result)
  const unpacked = fetchKernel(directory)
  const [version] = readdirSync(join(unpacked, 'usr/lib/modules'))
  cpSync(join(unpacked, `boot/vmlinuz-${version}`), join(result, 'kernel'))
  const root = join(directory, 'modules')
  takeModules(join(unpacked, 'usr/lib/modules', version), join(root, 'lib/modules', version))
  run('depmod', ['--basedir', root, version])
  const disk = join(result, 'modules')
  run('mke2fs', ['-q', '-t', 'ext4', '-m0', '-d', join(root, 'lib/modules'), disk, DISK_SIZE])
  makeInitialRoot(join(directory, 'initial'), root, version, join(result, 'initial-root'))
}

function fetchKernel(directory) {
  const release = download(() => openRelease(SUITE, directory))
  const image = release.dependencies(META_PACKAGE).filter((name) => /^linux-image-\d/.test(name))
  release.fetch(image, { alone: true })
  return join(directory, 'root')
}

// Unpacked: that is dear where it is emulated.
function takeModules(from, to) {
  for (const name of MODULES) {
    const source = [name, `${name}.ko.xz`]
      .map((path) => join(from, 'kernel', path))
      .find(existsSync)
    if (source === undefined) throw new Error(`the kernel of Debian has no module ${name}`)
    cpSync(source, join(to, 'kernel', source.slice(join(from, 'kernel').length)), {
      recursive: true,
    })
  }
  for (const name of ['modules.builtin', 'modules.builtin.modinfo', 'modules.order'])
    cpSync(join(from, name), join(to, name))
  run('find', [to, '-name', '*.ko.xz', '-exec', 'xz', '--decompress', '{}', '+'])
}

function makeInitialRoot(directory, modules, version, result) {
  for (const name of ['bin', 'dev', 'modules', 'new', 'proc', 'sys'])
    mkdirSync(join(directory, name), { recursive: true })
  cpSync('/bin/busybox', join(directory, 'bin/busybox'))
  const lines = ROOT_MODULES.flatMap((name) =>
    captured('modprobe', ['-d', modules, '-S', version, '--show-depends', name]).split('\n'),
  )
  const paths = lines.filter((line) => line.startsWith('insmod ')).map((line) => line.split(' ')[1])
  const names = [...new Set(paths)].map((path) => {
    cpSync(path, join(directory, 'modules', basename(path)))
    return basename(path)
  })
  writeFileSync(join(directory, 'modules/list'), names.join('\n'))
  writeFileSync(join(directory, 'init'), readFileSync(join(here, 'initial-root.sh')), {
    mode: 0o755,
  })
  run('sh', ['-c', 'cd "$0" && find . | busybox cpio -o -H newc >"$1"', directory, result])
}

runRecipe(main)
