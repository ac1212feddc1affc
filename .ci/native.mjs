/** Native parts for both architectures: our C by make, koffi's N-API module from its npm packages. */
import { spawnSync } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs'
import { join } from 'node:path'
import { writeVerbPlans } from './verb-plans.mjs'

/** Architectures as the kernel names them, with Node's name, koffi's folder name and Debian's cross compiler. */
export const ARCHITECTURES = {
  x86_64: { node: 'x64', compiler: 'x86_64-linux-gnu-gcc', debian: 'gcc-x86-64-linux-gnu' },
  aarch64: { node: 'arm64', compiler: 'aarch64-linux-gnu-gcc', debian: 'gcc-aarch64-linux-gnu' },
}

/** Fills `dist`/native/<architecture>/ and returns lines for a person. Only the host's own parts are required. */
export async function buildNative(root, dist) {
  const lines = []
  for (const [arch, names] of Object.entries(ARCHITECTURES)) {
    const isHost = names.node === process.arch
    if (!isHost && !isInstalled(names.compiler)) {
      lines.push(
        `native: ${arch} skipped, as ${names.compiler} is missing (apt-get install ${names.debian})`,
      )
      continue
    }
    const parts = compileNative(root, arch)
    const target = join(dist, 'native', arch)
    mkdirSync(target, { recursive: true })
    for (const part of parts) copyFileSync(part.path, join(target, part.name))
    const { launcher } = await compileLaunchers(root, arch)
    copyFileSync(launcher, join(target, 'tsrun-launch'))
    const koffi = copyKoffi(root, names.node, target, isHost)
    lines.push(
      `native: ${arch} (${parts.map((part) => part.name).join(' ')}${koffi ? ' koffi.node' : ''})`,
    )
  }
  return lines
}

/** Builds one architecture in native-bindings/build/ and lists what the Makefile made there. */
export function compileNative(root, arch) {
  run('make', ['-s', '-C', join(root, 'native-bindings'), `ARCH=${arch}`])
  const folder = join(root, 'native-bindings/build', arch)
  return readdirSync(folder)
    .filter((name) => name === 'libtsrun.so' || /^tsrun-(?!launch)/.test(name))
    .map((name) => ({ name, path: join(folder, name) }))
}

/** Builds what starts the engine, or does without: paths of the Node build's and the standalone executable's. */
export async function compileLaunchers(root, arch) {
  const folder = join(root, 'native-bindings/build', arch)
  await writeVerbPlans(root, arch, folder)
  run('make', ['-s', '-C', join(root, 'native-bindings'), `ARCH=${arch}`, 'launchers'])
  return {
    launcher: join(folder, 'tsrun-launch'),
    standaloneEntry: join(folder, 'standalone-entry'),
  }
}

// koffi's own index.js searches packages and folders for 10 ms; src/native/koffi-backend.ts loads these
// files directly. Both libcs, as Node for Alpine is a musl program.
function copyKoffi(root, nodeArch, target, isHost) {
  const folder = koffiPackage(root, nodeArch, isHost)
  if (folder === undefined) return false
  copyFileSync(join(folder, `linux_${nodeArch}/koffi.node`), join(target, 'koffi.node'))
  copyFileSync(join(folder, `musl_${nodeArch}/koffi.node`), join(target, 'koffi-musl.node'))
  return true
}

/** Folder of @koromix/koffi-linux-<arch>; npm installs only the host's, the other one is fetched once. */
function koffiPackage(root, nodeArch, isHost) {
  const name = `@koromix/koffi-linux-${nodeArch}`
  const installed = join(root, 'node_modules', name)
  if (existsSync(installed)) return installed
  const { version } = JSON.parse(
    readFileSync(join(root, 'node_modules/koffi/package.json'), 'utf8'),
  )
  const cached = join(root, 'rootfs-cache/cache', `koffi-linux-${nodeArch}-${version}`)
  if (existsSync(cached)) return cached
  const download = `${cached}.partial`
  rmSync(download, { recursive: true, force: true })
  mkdirSync(download, { recursive: true })
  try {
    const tarball = run('npm', [
      'pack',
      '--silent',
      '--pack-destination',
      download,
      `${name}@${version}`,
    ]).trim()
    run('tar', ['-xzf', join(download, tarball), '-C', download])
  } catch (error) {
    if (isHost) throw error
    process.stderr.write(`native: without koffi for ${nodeArch}: ${error.message}\n`)
    return undefined
  }
  renameSync(join(download, 'package'), cached)
  rmSync(download, { recursive: true, force: true })
  return cached
}

function isInstalled(command) {
  return spawnSync(command, ['--version'], { stdio: 'ignore' }).error === undefined
}

function run(command, args) {
  const result = spawnSync(command, args, { encoding: 'utf8' })
  if (result.error) throw new Error(`cannot run ${command}: ${result.error.message}`)
  if (result.status !== 0)
    throw new Error(
      `cannot build: ${command} ${args.join(' ')}: ${(result.stderr || result.stdout).trim()}`,
    )
  return result.stdout
}
