/**
 * The image of `npm run bench:images`: four layers of about 500 MB each, unpacked from Debian packages as a Dockerfile
 * with one `apt-get install` a layer would leave them, and compressed by gzip -6. Kept in a folder from run to run.
 */
import { execFileSync, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  createReadStream,
  createWriteStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'

/** Programs, libraries, sources and documents, much as images have them; together 2 GB. */
const LAYERS = [
  ['golang-1.19-go', 'golang-1.19-src'],
  [
    'openjdk-17-jre-headless',
    'openjdk-17-jdk-headless',
    'libreoffice-core-nogui',
    'libreoffice-common',
    'python3-scipy',
    'r-base-core',
    'perl-modules-5.36',
  ],
  ['ocaml', 'ocaml-compiler-libs', 'texlive-base', 'python3.11-doc'],
  [
    'docker.io',
    'containerd',
    'libwireshark16',
    'libclang-14-dev',
    'rabbitmq-server',
    'fonts-urw-base35',
  ],
]

/**
 * The layers as `{ path, digest, diffId, plainSize, entries }`, made in `cache` unless they are there. `scratch` has
 * room for one layer unpacked. BENCH_PACKAGES names others: `a b / c` makes two layers.
 */
export async function benchLayers(cache, scratch) {
  const layers =
    process.env.BENCH_PACKAGES === undefined
      ? LAYERS
      : process.env.BENCH_PACKAGES.split('/').map((names) => names.trim().split(/\s+/))
  const key = createHash('sha256').update(JSON.stringify(layers)).digest('hex').slice(0, 16)
  const folder = join(cache, key)
  const list = join(folder, 'layers.json')
  if (!existsSync(list)) {
    rmSync(folder, { recursive: true, force: true })
    mkdirSync(folder, { recursive: true })
    const made = []
    for (const names of layers) made.push(await makeLayer(names, folder, scratch))
    writeFileSync(`${list}.part`, JSON.stringify(made))
    renameSync(`${list}.part`, list)
  }
  return JSON.parse(readFileSync(list, 'utf8')).map((layer) => ({
    ...layer,
    path: join(folder, layer.name),
  }))
}

async function makeLayer(packages, folder, scratch) {
  console.log(`making a layer of ${packages.join(' ')}`)
  const work = mkdtempSync(join(scratch, 'layer-'))
  try {
    const tree = join(work, 'tree')
    mkdirSync(tree)
    // As root apt would download as _apt, which may not write here.
    const apt = ['-qq', '-o', 'APT::Sandbox::User=root', 'download', ...packages]
    execFileSync('apt-get', apt, { cwd: work, stdio: ['ignore', 'inherit', 'inherit'] })
    for (const name of readdirSync(work).filter((file) => file.endsWith('.deb')))
      execFileSync('dpkg-deb', ['-x', join(work, name), tree])
    const entries = execFileSync('find', [tree, '-printf', 'x']).length
    return { ...(await pack(tree, folder, packages[0])), entries }
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

async function pack(tree, folder, title) {
  const name = `${title}.tar.gz`
  const path = join(folder, name)
  const tar = spawn('tar', ['-C', tree, '--sort=name', '--format=posix', '-cf', '-', '.'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const gzip = spawn('gzip', ['-6', '-n', '-c'], { stdio: ['pipe', 'pipe', 'inherit'] })
  const diff = createHash('sha256')
  let plainSize = 0
  tar.stdout.on('data', (chunk) => {
    diff.update(chunk)
    plainSize += chunk.length
  })
  await Promise.all([
    pipeline(tar.stdout, gzip.stdin),
    pipeline(gzip.stdout, createWriteStream(path)),
  ])
  return { name, digest: await digestOf(path), diffId: `sha256:${diff.digest('hex')}`, plainSize }
}

/** `sha256:…` of a file. */
export async function digestOf(path) {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path), hash)
  return `sha256:${hash.digest('hex')}`
}
