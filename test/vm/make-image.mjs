/**
 * Makes the root file system of the test machine from Debian packages: `node make-image.mjs DIRECTORY`
 * leaves DIRECTORY/result. It mounts in the namespace that its caller made for it, and so leaves nothing
 * behind however it ends.
 */
import {
  chmodSync,
  cpSync,
  mkdirSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { MIRROR } from '../../.ci/other-debian.mjs'
import { here, readList } from './paths.mjs'
import { download, run, runRecipe } from './recipe.mjs'

const SUITE = 'trixie'
const IMAGE_SIZE = '3072M'
// The same on every machine: systemd makes one at each start else, and takes a first boot for one.
const MACHINE_ID = '0123456789abcdef0123456789abcdef'
// Installed for tests that start them.
const DISABLED_UNITS = [
  'containerd.service',
  'docker.service',
  'docker.socket',
  'podman.service',
  'podman.socket',
]
const directory = process.argv[2]
const root = join(directory, 'root')
const UNPACKED_WITHOUT = ['doc', 'man', 'locale', 'info']

function main() {
  mkdirSync(root)
  download(() => run('debootstrap', ['--variant=minbase', SUITE, root, MIRROR]))
  installPackages()
  installNode()
  configure()
  enableUnits()
  makeFileSystem()
}

function installPackages() {
  put('etc/apt/apt.conf.d/99test-machine', APT_CONFIGURATION)
  const excluded = UNPACKED_WITHOUT.map((name) => `path-exclude=/usr/share/${name}/*\n`)
  put('etc/dpkg/dpkg.cfg.d/99test-machine', excluded.join(''))
  put('usr/sbin/policy-rc.d', '#!/bin/sh\nexit 101\n')
  chmodSync(join(root, 'usr/sbin/policy-rc.d'), 0o755)
  for (const file of ['resolv.conf', 'hosts'])
    cpSync(join('/etc', file), join(root, 'etc', file), { dereference: true })
  run('mount', ['-t', 'proc', 'proc', join(root, 'proc')])
  run('mount', ['--bind', '/dev', join(root, 'dev')])
  download(() => inside('apt-get', ['-q', 'update']))
  inside('apt-get', ['-q', 'install', ...readList('guest-packages.txt')])
  inside('apt-get', ['-q', 'clean'])
  rmSync(join(root, 'var/lib/apt/lists'), { recursive: true })
  rmSync(join(root, 'usr/sbin/policy-rc.d'))
}

const APT_CONFIGURATION = `APT::Install-Recommends "false";
APT::Get::Assume-Yes "true";
Acquire::Languages "none";
DPkg::Options { "--force-unsafe-io"; "--force-confdef"; };
Dpkg::Use-Pty "false";
`

// The version that built the working tree: what V8 compiled for it is of use there. npm carries every one.
function installNode() {
  const name = `node-linux-${process.arch}@${process.versions.node}`
  const prefix = join(directory, 'node')
  const flags = ['--no-audit', '--no-fund', '--ignore-scripts', '--prefix', prefix]
  download(() => run('npm', ['install', ...flags, name]))
  const binary = join(prefix, 'node_modules', `node-linux-${process.arch}`, 'bin/node')
  cpSync(binary, join(root, 'usr/local/bin/node'))
  inside('node', ['--version'])
}

function configure() {
  put('etc/hostname', 'test-machine\n')
  put('etc/hosts', '127.0.0.1 localhost test-machine\n::1 localhost\n')
  put('etc/resolv.conf', 'nameserver 127.0.0.1\n')
  put('etc/machine-id', `${MACHINE_ID}\n`)
  put('etc/fstab', '')
  // Where the emulated machine has its modules.
  mkdirSync(join(root, 'usr/lib/modules'), { recursive: true })
  inside('useradd', ['--create-home', '--shell', '/bin/bash', 'user'])
  // No generator has anything to find, and each is a program to start.
  const generators = 'systemd/system-generators'
  for (const name of readdirSync(join(root, 'usr/lib', generators)))
    link('/dev/null', `etc/${generators}/${name}`)
  cpSync(join(here, 'guest'), root, { recursive: true })
}

function enableUnits() {
  for (const unit of DISABLED_UNITS) inside('systemctl', ['--quiet', 'disable', unit])
  for (const unit of readList('guest-masked-units.txt'))
    link('/dev/null', `etc/systemd/system/${unit}`)
  inside('systemctl', ['--quiet', 'enable', 'tsrun-job.service'])
  inside('systemctl', ['--quiet', 'set-default', 'multi-user.target'])
}

// No journal, checksums or lazy work: the machine lives for minutes and starts from this again.
function makeFileSystem() {
  for (const mount of ['proc', 'dev']) run('umount', [join(root, mount)])
  const features = '^has_journal,^metadata_csum'
  const extended = 'lazy_itable_init=0'
  const options = ['-q', '-t', 'ext4', '-m0', '-O', features, '-E', extended, '-d', root]
  run('mke2fs', [...options, join(directory, 'result'), IMAGE_SIZE])
}

function put(path, content) {
  mkdirSync(join(root, path, '..'), { recursive: true })
  writeFileSync(join(root, path), content)
}

function link(target, path) {
  mkdirSync(join(root, path, '..'), { recursive: true })
  rmSync(join(root, path), { force: true })
  symlinkSync(target, join(root, path))
}

function inside(command, args) {
  run('chroot', [root, command, ...args])
}

runRecipe(main)
