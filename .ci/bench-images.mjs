/**
 * `npm run bench:images`: pull and unpack of an image of four layers from a local docker-registry, by tsrun and by the peers
 * that are installed, one after the other in the same minutes, on the same file system. Prints seconds, CPU seconds
 * and peak memory; asserts nothing.
 *
 *   BENCH_PACKAGES   Debian packages of the layers, see bench-image.mjs
 *   BENCH_CACHE      where the layers are kept from run to run, default /var/tmp/tsrun-bench
 *   BENCH_FOLDER     where everything else is kept, default a tmpfs when it has room
 *   BENCH_ROUNDS     default 3
 */
import { spawn, spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { benchLayers, digestOf } from './bench-image.mjs'

const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 3)
const CACHE = process.env.BENCH_CACHE ?? '/var/tmp/tsrun-bench'
/** One layer unpacked and its packages; or all blobs, the unpacked copy of one tool and its own blobs. */
const ROOM = 8e9
const PORT = Number(process.env.BENCH_PORT ?? 35007)
const HOST = `127.0.0.1:${PORT}`
const CLOCK_TICKS = 100

const work = mkdtempSync(join(folderWithRoom(), 'tsrun-bench-images-'))
const servers = []
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(130))
process.on('exit', clean)

function folderWithRoom() {
  if (process.env.BENCH_FOLDER !== undefined) return process.env.BENCH_FOLDER
  const { bavail, bsize } = statfsSync('/dev/shm')
  return bavail * bsize > ROOM ? '/dev/shm' : tmpdir()
}

await main()
// The servers would keep this process.
process.exit(0)

async function main() {
  await startRegistry()
  const blobs = await benchLayers(CACHE, work)
  await push(blobs)
  const sum = (each) => blobs.reduce((total, blob) => total + each(blob), 0)
  const packed = sum(({ path }) => statSync(path).size) / 1e6
  const plain = sum(({ plainSize }) => plainSize) / 1e6
  console.log(
    `image of ${blobs.length} layers, ${packed.toFixed(0)} MB compressed, ${plain.toFixed(0)} MB unpacked, ${sum(({ entries }) => entries)} entries, in ${work}\n`,
  )
  const tools = await startTools(blobs)
  const results = new Map(tools.map(({ name }) => [name, []]))
  for (let round = 0; round < ROUNDS; round++) {
    for (const tool of tools) {
      const measured = await measure(tool)
      results.get(tool.name).push(measured)
      tool.reset()
    }
  }
  report(results)
}

async function startRegistry() {
  const config = join(work, 'registry.yml')
  writeFileSync(
    config,
    `version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage: {filesystem: {rootdirectory: ${work}/registry}}\nhttp: {addr: ${HOST}}\n`,
  )
  start('docker-registry', ['serve', config])
  for (;;) {
    try {
      await fetch(`http://${HOST}/v2/`)
      return
    } catch {
      // It does not listen yet.
      await sleep(50)
    }
  }
}

async function push(blobs) {
  const config = JSON.stringify({
    architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
    os: 'linux',
    config: {},
    rootfs: { type: 'layers', diff_ids: blobs.map(({ diffId }) => diffId) },
  })
  const configPath = join(work, 'config.json')
  writeFileSync(configPath, config)
  const all = [{ path: configPath, digest: await digestOf(configPath) }, ...blobs]
  for (const { path, digest } of all) {
    const begun = await fetch(`http://${HOST}/v2/bench/blobs/uploads/`, { method: 'POST' })
    const location = new URL(begun.headers.get('location'), `http://${HOST}`)
    location.searchParams.set('digest', digest)
    const args = ['-sf', '-X', 'PUT', '-T', path, '-H', 'content-type: application/octet-stream']
    check(spawnSync('curl', [...args, location.href]))
  }
  const type = 'application/vnd.oci.image'
  const descriptor = ({ path, digest }, mediaType) => ({
    mediaType,
    digest,
    size: statSync(path).size,
  })
  const manifest = {
    schemaVersion: 2,
    mediaType: `${type}.manifest.v1+json`,
    config: descriptor(all[0], `${type}.config.v1+json`),
    layers: blobs.map((blob) => descriptor(blob, `${type}.layer.v1.tar+gzip`)),
  }
  const put = await fetch(`http://${HOST}/v2/bench/manifests/v1`, {
    method: 'PUT',
    body: JSON.stringify(manifest),
    headers: { 'content-type': manifest.mediaType },
  })
  if (!put.ok) throw new Error(`push: ${put.status}`)
}

async function startTools(blobs) {
  const image = `${HOST}/bench:v1`
  const folder = (name) => join(work, name)
  const remove = (name) => () => rmSync(folder(name), { recursive: true, force: true })
  const tsrun = (command) => [command, '--data-root', folder('t'), 'pull', '-q', image]
  const tools = [
    { name: 'tsrun', command: tsrun(resolve('dist/tsrun')), reset: remove('t') },
    {
      name: 'tsrun standalone',
      command: tsrun(resolve('dist/standalone/tsrun')),
      reset: remove('t'),
    },
    {
      name: 'curl | gzip -dc | tar x, in parallel',
      command: ['sh', '-c', parallelPipes(blobs, folder('pipes'))],
      reset: remove('pipes'),
    },
    {
      name: 'podman pull',
      command: podman(folder('p'), image),
      reset: () => podmanReset(folder('p')),
    },
  ]
  const found = tools.filter(({ command: [program] }) => isInstalled(program))
  const containerd = await startContainerd(folder('c'), image)
  return containerd === undefined ? found : [...found, containerd]
}

function parallelPipes(blobs, folder) {
  const one = ({ digest }, i) =>
    `(mkdir -p ${folder}/${i}; curl -sf http://${HOST}/v2/bench/blobs/${digest} | gzip -dc | tar x -C ${folder}/${i}) &`
  return `${blobs.map(one).join('\n')}\nwait`
}

function podman(folder, image) {
  const roots = ['--root', join(folder, 'root'), '--runroot', join(folder, 'run')]
  return ['podman', ...roots, '--storage-driver=overlay', 'pull', '-q', '--tls-verify=false', image]
}

function podmanReset(folder) {
  // podman makes its graph root a mount point.
  spawnSync('umount', ['-q', join(folder, 'root/overlay')])
  rmSync(folder, { recursive: true, force: true })
}

async function startContainerd(folder, image) {
  if (!isInstalled('containerd') || !isInstalled('ctr')) return undefined
  mkdirSync(folder)
  const socket = join(folder, 's')
  const config = join(folder, 'config.toml')
  writeFileSync(
    config,
    `version = 2\nroot = "${folder}/root"\nstate = "${folder}/state"\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n[grpc]\n  address = "${socket}"\n`,
  )
  const daemon = start('containerd', ['-c', config])
  while (spawnSync('ctr', ['-a', socket, 'version']).status !== 0) await sleep(100)
  const ctr = ['ctr', '-a', socket, 'image']
  return {
    name: 'ctr images pull',
    command: [...ctr, 'pull', '--plain-http', image],
    daemon: daemon.pid,
    reset: () => check(spawnSync('ctr', [...ctr.slice(1), 'rm', '--sync', image])),
  }
}

/** Runs the command and looks at it, and at its daemon, until it has ended. */
async function measure({ command: [program, ...args], daemon }) {
  spawnSync('sync')
  const daemonBefore = daemon === undefined ? 0 : cpuOf(daemon)
  const begin = performance.now()
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  let stderr = ''
  child.stderr.on('data', (text) => {
    stderr += text
  })
  let cpu = 0
  let memory = 0
  const look = () => {
    cpu = Math.max(cpu, cpuOf(child.pid))
    memory = Math.max(memory, peakOf(child.pid))
  }
  const timer = setInterval(look, 25)
  const status = await new Promise((done) => child.once('exit', done))
  const seconds = (performance.now() - begin) / 1000
  clearInterval(timer)
  if (status !== 0) throw new Error(`${program}: ${status}: ${stderr}`)
  if (daemon === undefined) return { seconds, cpu, memory }
  return { seconds, cpu: cpu + cpuOf(daemon) - daemonBefore, memory: memory + peakOf(daemon) }
}

/** Seconds of the process and of its children that have ended. */
function cpuOf(pid) {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return fields.slice(11, 15).reduce((sum, one) => sum + Number(one), 0) / CLOCK_TICKS
  } catch {
    // It has ended.
    return 0
  }
}

function peakOf(pid) {
  try {
    return (
      Number(/VmHWM:\s*(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024
    )
  } catch {
    // It has ended.
    return 0
  }
}

function report(results) {
  console.log(
    `${'what'.padEnd(40)}${['seconds', 'min', 'CPU s', 'peak MB'].map((text) => text.padStart(10)).join('')}`,
  )
  const of = (values, key) => values.map((value) => value[key]).sort((a, z) => a - z)
  const median = (values, key) => of(values, key)[Math.floor(values.length / 2)]
  for (const [name, values] of results) {
    const columns = [
      median(values, 'seconds').toFixed(1),
      of(values, 'seconds')[0].toFixed(1),
      median(values, 'cpu').toFixed(1),
      of(values, 'memory').at(-1).toFixed(0),
    ]
    console.log(`${name.padEnd(40)}${columns.map((text) => text.padStart(10)).join('')}`)
  }
  const ours = median(results.get('tsrun') ?? [], 'seconds')
  console.log('\ntsrun / peer, medians (below 1: tsrun is faster)')
  for (const [name, values] of results)
    if (!name.startsWith('tsrun'))
      console.log(`  ${name.padEnd(52)}${(ours / median(values, 'seconds')).toFixed(2)}`)
}

function start(command, args) {
  const child = spawn(command, args, { stdio: 'ignore' })
  servers.push(child)
  return child
}

function clean() {
  for (const child of servers) child.kill('SIGKILL')
  podmanReset(join(work, 'p'))
  rmSync(work, { recursive: true, force: true, maxRetries: 5 })
}

function isInstalled(program) {
  return program.includes('/')
    ? existsSync(program)
    : spawnSync('sh', ['-c', `command -v ${program}`]).status === 0
}

function check({ status, stderr, error }) {
  if (error) throw error
  if (status !== 0) throw new Error(`exit status ${status}: ${stderr}`)
}
