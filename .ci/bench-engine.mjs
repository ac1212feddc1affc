/**
 * The engine's part of `npm run bench`: `run --rm` beside podman, many containers started at once, `ps` with many of
 * them, and what a health check costs. Prints figures; asserts nothing but that the commands succeed.
 */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { buildBusyboxImage } from '../rootfs-cache/build-busybox-image.mjs'

const AT_ONCE = 100
const MANY = 800

// What a machine without raised rlimits and with a hybrid cgroup needs, as docs/compatibility.md says.
const PODMAN_CONF = '[containers]\ndefault_ulimits = []\npids_limit = 0\n'

/** Measures with `rounds` rounds in the folder `work`. `builds` are `{ name, command }`. */
export async function benchEngine(work, builds, rounds) {
  const image = await buildBusyboxImage()
  const network = await ownNetwork()
  try {
    await benchAll({ work, builds, rounds, image, network })
  } finally {
    network.end()
  }
}

async function benchAll({ work, builds, rounds, image, network }) {
  const engines = builds.map((build) => ({ ...build, run: engineOf(build, work, network) }))
  for (const { run } of engines) run('load', '-i', image)
  const podman = podmanOf(work, image, network)
  try {
    for (const options of [['--network', 'none'], []]) benchRun(engines, podman, rounds, options)
  } finally {
    // podman leaves its store mounted on itself.
    if (podman !== undefined) spawnSync('umount', ['-l', join(work, 'podman', 'root', 'overlay')])
  }
  for (const engine of engines) await benchAtOnce(engine)
  for (const engine of engines) benchMany(engine, work, rounds)
  benchHealth(engines[0])
}

function engineOf({ name, command }, work, network) {
  const line = [
    ...network.enter,
    command,
    '--data-root',
    join(work, `${name}-data`),
    '--state-root',
    join(work, `${name}-state`),
  ]
  return Object.assign((...args) => checked([...line, ...args]), { line })
}

function podmanOf(work, image, network) {
  if (spawnSync('podman', ['--version']).status !== 0) return undefined
  const folder = join(work, 'podman')
  mkdirSync(folder)
  writeFileSync(join(folder, 'containers.conf'), PODMAN_CONF)
  const env = { ...process.env, CONTAINERS_CONF: join(folder, 'containers.conf'), TMPDIR: folder }
  const line = [
    ...network.enter,
    'podman',
    `--root=${join(folder, 'root')}`,
    `--runroot=${join(folder, 'run')}`,
    `--tmpdir=${join(folder, 'tmp')}`,
    '--cgroup-manager=cgroupfs',
    '--events-backend=file',
    '--storage-driver=overlay',
    // crun raises RLIMIT_MEMLOCK for device rules, which not every machine allows.
    '--runtime=runc',
  ]
  const run = (...args) => checked([...line, ...args], env)
  run('load', '--quiet', '--input', image)
  return run
}

/** Interleaved, so that a busy moment hits all alike. */
function benchRun(engines, podman, rounds, options) {
  const times = new Map()
  const note = (name, run) => {
    const begin = performance.now()
    run('run', '--rm', ...options, 'busybox', 'true')
    times.set(name, [...(times.get(name) ?? []), performance.now() - begin])
  }
  for (let i = 0; i < rounds; i++) {
    for (const { name, run } of engines) note(name, run)
    if (podman !== undefined) note('podman', podman)
  }
  console.log(`\nrun --rm ${[...options, 'busybox', 'true'].join(' ')}`)
  for (const [name, values] of times) {
    const ratio = times.has('podman')
      ? ` ${(median(values) / median(times.get('podman'))).toFixed(2)} of podman`
      : ''
    console.log(
      `  ${name.padEnd(12)}${median(values).toFixed(1).padStart(8)} ms (min ${Math.min(...values).toFixed(1)})${ratio}`,
    )
  }
}

/** All of them must succeed: there is no lock that all share. */
async function benchAtOnce({ name, run }) {
  const begin = performance.now()
  const ends = Array.from({ length: AT_ONCE }, () =>
    ended(run.line, ['run', '-d', 'busybox', 'sleep', '1000']),
  )
  const failed = (await Promise.all(ends)).filter(({ status }) => status !== 0)
  const seconds = ((performance.now() - begin) / 1000).toFixed(1)
  console.log(
    `${name}: ${AT_ONCE} parallel run -d: ${AT_ONCE - failed.length} succeeded in ${seconds} s`,
  )
  if (failed.length > 0) console.log(failed[0].stderr)
  const ids = run('ps', '-aq').split('\n')
  run('rm', '-f', ...ids)
}

/** Copies of one record stand for containers: `ps` looks at each as at any that has ended. */
function benchMany({ name, run }, work, rounds) {
  const time = () => {
    const begin = performance.now()
    run('ps', '-a')
    return performance.now() - begin
  }
  const rows = (count) => median(Array.from({ length: count }, time))
  const none = rows(rounds)
  run('run', '--name', 'many', 'busybox', 'true')
  const data = join(work, `${name}-data`)
  const [id] = readdirSync(join(data, 'containers'))
  const record = readFileSync(join(data, 'containers', id, 'container.json'), 'utf8')
  for (let i = 1; i < MANY; i++) {
    const copy = i.toString(16).padStart(64, '0')
    mkdirSync(join(data, 'containers', copy), { mode: 0o700 })
    const text = record.replaceAll(id, copy).replace('"name":"many"', `"name":"many-${i}"`)
    writeFileSync(join(data, 'containers', copy, 'container.json'), text)
    symlinkSync(copy, join(data, 'names', `many-${i}`))
  }
  const all = rows(rounds)
  const more = (all - none).toFixed(1)
  console.log(
    `${name}: ps -a with ${MANY} containers: ${all.toFixed(1)} ms, ${more} ms more than with none`,
  )
}

function benchHealth({ name, run }) {
  run(
    'run',
    '-d',
    '--name',
    'checked',
    '--health-cmd',
    'true',
    '--health-interval',
    '1h',
    'busybox',
    'sleep',
    '1000',
  )
  for (let i = 0; i < 5; i++) run('healthcheck', 'run', 'checked')
  const [{ State }] = JSON.parse(run('inspect', 'checked'))
  const times = State.Health.Log.map(({ Start, End }) => Date.parse(End) - Date.parse(Start))
  console.log(`${name}: a health check, by the monitor: ${median(times).toFixed(0)} ms`)
  const begin = performance.now()
  run('exec', 'checked', 'true')
  console.log(`${name}: the same by tsrun exec: ${(performance.now() - begin).toFixed(0)} ms`)
  run('rm', '-f', 'checked')
}

/**
 * A network namespace, where the default networks of the engines get their bridges; gone with us. Everybody is
 * started through nsenter(1).
 */
async function ownNetwork() {
  const holder = spawn('unshare', ['-n', 'sh', '-c', 'ip link set lo up; echo; exec cat'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  await once(holder.stdout, 'data')
  return {
    enter: ['nsenter', `--net=/proc/${holder.pid}/ns/net`, '--'],
    end: () => holder.kill('SIGKILL'),
  }
}

function checked([command, ...args], env = process.env) {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    encoding: 'utf8',
    env,
    maxBuffer: 1 << 26,
  })
  if (error) throw error
  if (status !== 0)
    throw new Error(`${command} ${args.join(' ')}: exit status ${status}: ${stderr}`)
  return stdout.trim()
}

function ended([command, ...globals], args) {
  return new Promise((resolve) => {
    const child = spawn(command, [...globals, ...args], { stdio: ['ignore', 'ignore', 'pipe'] })
    let stderr = ''
    child.stderr.on('data', (text) => {
      stderr += text
    })
    child.once('close', (status) => resolve({ status, stderr }))
  })
}

function median(values) {
  const sorted = [...values].sort((a, z) => a - z)
  return sorted[Math.floor(sorted.length / 2)]
}

/** The builds that there are. */
export function builtCommands(commands) {
  return commands.filter(({ command }) => existsSync(command))
}
