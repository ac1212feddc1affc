/**
 * The recipe of the test image: Debian's static busybox with a link for each applet, as an OCI archive
 * or a plain root filesystem. The same busybox gives the same bytes; nothing of it is committed.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { pack } from 'tar-stream'

const CACHE = join(dirname(fileURLToPath(import.meta.url)), 'cache')
const BUSYBOX = '/bin/busybox'
const PACKAGE = 'busybox-static'
const NAME = 'docker.io/library/busybox:latest'
const EPOCH = new Date(0)

const DIRECTORIES = [
  ['bin', 0o755],
  ['dev', 0o755],
  ['etc', 0o755],
  ['home', 0o755],
  ['proc', 0o555],
  ['root', 0o700],
  ['sys', 0o555],
  ['tmp', 0o1777],
  ['usr', 0o755],
  ['usr/bin', 0o755],
  ['usr/sbin', 0o755],
  ['var', 0o755],
  ['var/spool', 0o755],
  ['var/spool/mail', 0o755],
  ['var/www', 0o755],
]

const PASSWD = `root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/bin/false
bin:x:2:2:bin:/bin:/bin/false
mail:x:8:8:mail:/var/spool/mail:/bin/false
www-data:x:33:33:www-data:/var/www:/bin/false
nobody:x:65534:65534:nobody:/home:/bin/false
`

const GROUP = `root:x:0:
daemon:x:1:
bin:x:2:
mail:x:8:
wheel:x:10:root
www-data:x:33:
users:x:100:
nobody:x:65534:
`

/** Path of an OCI archive of `docker.io/library/busybox:latest`, built at the first call and kept. */
export async function buildBusyboxImage() {
  const busybox = readBusybox()
  // The recipe is part of the key: an edit of this file makes a new image.
  const key = digestOf(Buffer.concat([busybox, readFileSync(fileURLToPath(import.meta.url))]))
  const path = join(CACHE, `busybox-${key.slice(0, 16)}.tar`)
  if (existsSync(path)) return path
  mkdirSync(CACHE, { recursive: true })
  const temporary = `${path}.${process.pid}`
  writeFileSync(temporary, await ociArchive(await layerTar(busybox)))
  renameSync(temporary, path)
  return path
}

/** Writes the image's root filesystem into the new directory `directory`; owners are the caller's. */
export function buildBusyboxRootfs(directory) {
  mkdirSync(directory, { recursive: true })
  for (const entry of rootEntries(readBusybox())) {
    const path = join(directory, entry.name)
    if (entry.type === 'directory') mkdirSync(path)
    else if (entry.type === 'symlink') symlinkSync(entry.linkname, path)
    else writeFileSync(path, entry.content)
    if (entry.type !== 'symlink') chmodSync(path, entry.mode)
  }
}

function readBusybox() {
  if (!existsSync(BUSYBOX)) installBusybox()
  return readFileSync(BUSYBOX)
}

function installBusybox() {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const args = ['install', '-y', '--no-install-recommends', PACKAGE]
  const result = spawnSync('apt-get', args, { env, encoding: 'utf8' })
  if (result.status !== 0 || !existsSync(BUSYBOX))
    throw new Error(
      `cannot make the busybox image: ${BUSYBOX} is missing; hint: apt-get install ${PACKAGE}`,
    )
}

function rootEntries(busybox) {
  const directories = DIRECTORIES.map(([name, mode]) => ({ name, type: 'directory', mode }))
  const files = [
    { name: 'bin/busybox', type: 'file', mode: 0o755, content: busybox },
    { name: 'etc/group', type: 'file', mode: 0o644, content: Buffer.from(GROUP) },
    { name: 'etc/passwd', type: 'file', mode: 0o644, content: Buffer.from(PASSWD) },
  ]
  const links = applets()
    .filter((name) => name !== 'busybox')
    .map((name) => ({ name: `bin/${name}`, type: 'symlink', mode: 0o777, linkname: 'busybox' }))
  const env = { name: 'usr/bin/env', type: 'symlink', mode: 0o777, linkname: '../../bin/busybox' }
  return [...directories, ...files, ...links, env]
}

function applets() {
  const result = spawnSync(BUSYBOX, ['--list'], { encoding: 'utf8' })
  if (result.status !== 0)
    throw new Error(`cannot list the applets of ${BUSYBOX}: ${result.error ?? result.stderr}`)
  return result.stdout
    .split('\n')
    .filter((name) => name !== '')
    .sort()
}

function layerTar(busybox) {
  return tarOf(rootEntries(busybox))
}

async function ociArchive(layer) {
  const blobs = new Map()
  const add = (mediaType, content) => {
    const digest = digestOf(content)
    blobs.set(digest, content)
    return { mediaType, digest: `sha256:${digest}`, size: content.length }
  }
  const oci = 'application/vnd.oci.image'
  const layerDescriptor = add(`${oci}.layer.v1.tar+gzip`, gzipSync(layer, { level: 9 }))
  const config = add(`${oci}.config.v1+json`, json(imageConfig(`sha256:${digestOf(layer)}`)))
  const manifest = add(
    `${oci}.manifest.v1+json`,
    json({
      schemaVersion: 2,
      mediaType: `${oci}.manifest.v1+json`,
      config,
      layers: [layerDescriptor],
    }),
  )
  const index = {
    schemaVersion: 2,
    mediaType: `${oci}.index.v1+json`,
    manifests: [
      {
        ...manifest,
        platform: { architecture: imageArchitecture(), os: 'linux' },
        annotations: {
          'io.containerd.image.name': NAME,
          'org.opencontainers.image.ref.name': 'latest',
        },
      },
    ],
  }
  const file = (name, content) => ({ name, type: 'file', mode: 0o644, content })
  return tarOf([
    file('oci-layout', json({ imageLayoutVersion: '1.0.0' })),
    file('index.json', json(index)),
    ...['blobs', 'blobs/sha256'].map((name) => ({ name, type: 'directory', mode: 0o755 })),
    ...[...blobs].map(([digest, content]) => file(`blobs/sha256/${digest}`, content)),
  ])
}

function imageConfig(diffId) {
  const created = EPOCH.toISOString()
  return {
    created,
    architecture: imageArchitecture(),
    os: 'linux',
    config: {
      Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
      Cmd: ['sh'],
    },
    rootfs: { type: 'layers', diff_ids: [diffId] },
    history: [{ created, created_by: `busybox of Debian's ${PACKAGE}` }],
  }
}

function imageArchitecture() {
  return process.arch === 'x64' ? 'amd64' : process.arch
}

async function tarOf(entries) {
  const tar = pack()
  const chunks = []
  const read = (async () => {
    for await (const chunk of tar) chunks.push(chunk)
  })()
  for (const { content, ...header } of entries) {
    const owner = { uid: 0, gid: 0, mtime: EPOCH }
    await new Promise((resolve, reject) => {
      const done = (error) => (error ? reject(error) : resolve())
      if (content === undefined) tar.entry({ ...header, ...owner }, done)
      else tar.entry({ ...header, ...owner, size: content.length }, content, done)
    })
  }
  tar.finalize()
  await read
  return Buffer.concat(chunks)
}

function json(value) {
  return Buffer.from(JSON.stringify(value))
}

function digestOf(content) {
  return createHash('sha256').update(content).digest('hex')
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(await buildBusyboxImage())
