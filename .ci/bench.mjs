/**
 * `npm run bench`: tsrun beside the peers that are installed, in the same minutes on the same
 * machine. Prints milliseconds and ratios; asserts nothing.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { build } from 'esbuild'
import { buildBusyboxImage, buildBusyboxRootfs } from '../rootfs-cache/build-busybox-image.mjs'
import { benchEngine, builtCommands } from './bench-engine.mjs'

const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 30)
const TSRUN = resolve('dist/tsrun')
const STANDALONE = resolve('dist/standalone/tsrun')

if (process.argv[2] !== '--inside') enterCgroup2()
const work = mkdtempSync(join(tmpdir(), 'tsrun-bench-'))
try {
  await main()
} finally {
  rmSync(work, { recursive: true, force: true })
}

/** Runs this script again where /sys/fs/cgroup is cgroup v2 alone; crun and runc need that too. */
function enterCgroup2() {
  const script =
    'if [ "$(stat -fc %T /sys/fs/cgroup)" != cgroup2fs ]; then umount -R /sys/fs/cgroup 2>/dev/null; mount -t cgroup2 none /sys/fs/cgroup || exit 125; fi; exec "$@"'
  // Node 20 reads this file at every start, 60 ms: it would be charged to tsrun alone.
  const { NODE_EXTRA_CA_CERTS: _, ...env } = process.env
  const argv = [
    '-m',
    '--propagation',
    'private',
    'sh',
    '-c',
    script,
    'sh',
    process.execPath,
    process.argv[1],
    '--inside',
  ]
  process.exit(spawnSync('unshare', argv, { stdio: 'inherit', env }).status ?? 125)
}

async function main() {
  const bundle = await makeBundle()
  const peers = [
    { name: 'tsrun', command: TSRUN, prefix: ['oci'] },
    { name: 'standalone', command: STANDALONE, prefix: ['oci'] },
    { name: 'runc', command: which('runc'), prefix: [] },
    { name: 'crun', command: which('crun'), prefix: [] },
  ].filter(({ command }) => command !== undefined && existsSync(command))
  const results = new Map()
  const note = (name, milliseconds) =>
    results.set(name, [...(results.get(name) ?? []), milliseconds])
  // Interleaved, so that a busy minute hits all alike.
  for (let i = 0; i < ROUNDS; i++) {
    note('node -e 0', time(process.execPath, ['-e', '0']))
    for (const peer of peers) {
      const runArgs = [...peer.prefix, 'run', '--bundle', bundle, `b-${i}`]
      note(`${peer.name} run (shell)`, time(peer.command, runArgs))
      const life = lifecycle(peer, bundle, `l-${i}`)
      for (const [verb, milliseconds] of Object.entries(life))
        note(`${peer.name} ${verb}`, milliseconds)
      const sum = Object.values(life).reduce((all, one) => all + one)
      note(`${peer.name} create+start+delete (shell)`, sum)
    }
  }
  const { ours, theirs } = await warm(bundle)
  results.set('tsrun lifecycle (warm process)', ours)
  if (theirs.length > 0) results.set('crun run (beside the warm process)', theirs)
  report(results)
  reportMemory(bundle)
  await reportDetachedMemory()
  const builds = [
    { name: 'tsrun', command: TSRUN },
    { name: 'standalone', command: STANDALONE },
  ]
  await benchEngine(work, builtCommands(builds), Math.ceil(ROUNDS / 3))
}

async function makeBundle() {
  const bundle = join(work, 'bundle')
  mkdirSync(bundle)
  await buildBusyboxRootfs(join(bundle, 'rootfs'))
  check(spawnSync(TSRUN, ['oci', 'spec', '--bundle', bundle]))
  const config = JSON.parse(readFileSync(join(bundle, 'config.json'), 'utf8'))
  config.process.terminal = false
  config.process.args = ['true']
  // crun 1.8 refuses versions above 1.0.
  config.ociVersion = '1.0.2'
  // crun raises RLIMIT_MEMLOCK for device rules, which needs CAP_SYS_RESOURCE; tsrun and runc filter devices anyway.
  delete config.linux.resources
  writeFileSync(join(bundle, 'config.json'), JSON.stringify(config))
  return bundle
}

async function warm(bundle) {
  await build({
    entryPoints: ['test/bench/warm-lifecycle.ts'],
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    outfile: resolve('dist', 'bench-warm.mjs'),
    logLevel: 'error',
  })
  const { warmLifecycles } = await import(resolve('dist', 'bench-warm.mjs'))
  // On the tmpfs that crun and runc keep their state on by default.
  const root = mkdtempSync('/run/tsrun-bench-')
  try {
    await warmLifecycles(root, bundle, 30)
    // Interleaved with crun, so that both live through the same busy moments.
    const ours = []
    const theirs = []
    for (let i = 0; i < ROUNDS; i++) {
      ours.push(...(await warmLifecycles(root, bundle, 5)))
      if (which('crun') !== undefined)
        for (let n = 0; n < 5; n++)
          theirs.push(time(which('crun'), ['run', '--bundle', bundle, `w-${i}-${n}`]))
    }
    return { ours, theirs }
  } finally {
    rmSync(resolve('dist', 'bench-warm.mjs'))
    rmSync(root, { recursive: true, force: true })
  }
}

/** Milliseconds of each command of a container's life. */
function lifecycle({ command, prefix }, bundle, id) {
  // The container keeps create's streams: a pipe would never end.
  const create = [...prefix, 'create', '--bundle', bundle, id]
  return {
    create: time(command, create, ['ignore', 'ignore', 'inherit']),
    start: time(command, [...prefix, 'start', id]),
    delete: time(command, [...prefix, 'delete', '--force', id]),
  }
}

function time(command, args, stdio = 'pipe') {
  const begin = performance.now()
  check(spawnSync(command, args, { stdio }))
  return performance.now() - begin
}

function check({ status, stderr, error }) {
  if (error) throw error
  if (status !== 0) throw new Error(`exit status ${status}: ${stderr}`)
}

function which(name) {
  const found = spawnSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' })
  return found.status === 0 ? found.stdout.trim() : undefined
}

function median(values) {
  const sorted = [...values].sort((a, z) => a - z)
  return sorted[Math.floor(sorted.length / 2)]
}

function report(results) {
  console.log(`${'what'.padEnd(40)}${'median ms'.padStart(10)}${'min ms'.padStart(10)}`)
  for (const [name, values] of results) {
    console.log(
      `${name.padEnd(40)}${median(values).toFixed(1).padStart(10)}${Math.min(...values)
        .toFixed(1)
        .padStart(10)}`,
    )
  }
  const ratio = (a, b) =>
    results.has(a) && results.has(b)
      ? (median(results.get(a)) / median(results.get(b))).toFixed(2)
      : 'not installed'
  console.log('\nratios of medians (below 1: tsrun is faster)')
  const print = (name, value) => console.log(`  ${name.padEnd(52)}${value}`)
  const warm = 'tsrun lifecycle (warm process)'
  print('warm lifecycle / crun run:', ratio(warm, 'crun run (beside the warm process)'))
  print('warm lifecycle / runc run:', ratio(warm, 'runc run (shell)'))
  for (const peer of ['crun', 'runc'])
    for (const build of ['tsrun', 'standalone'])
      for (const what of ['run (shell)', 'create+start+delete (shell)'])
        print(`${build} ${what} / ${peer}:`, ratio(`${build} ${what}`, `${peer} ${what}`))
  for (const verb of ['create', 'start', 'delete'])
    print(`tsrun ${verb} / node -e 0:`, ratio(`tsrun ${verb}`, 'node -e 0'))
}

function reportMemory(bundle) {
  check(
    spawnSync(TSRUN, ['oci', 'create', '--bundle', bundle, 'memory'], {
      stdio: ['ignore', 'ignore', 'inherit'],
    }),
  )
  const state = JSON.parse(
    spawnSync(TSRUN, ['oci', 'state', 'memory'], { encoding: 'utf8' }).stdout,
  )
  console.log(`\nresident memory of a created container: ${resident(state.pid)}`)
  check(spawnSync(TSRUN, ['oci', 'delete', '--force', 'memory']))
}

async function reportDetachedMemory() {
  const tsrun = (...args) => {
    const result = spawnSync(TSRUN, ['--data-root', join(work, 'data'), ...args], {
      encoding: 'utf8',
    })
    check(result)
    return result.stdout.trim()
  }
  tsrun('load', '-i', await buildBusyboxImage())
  tsrun('run', '-d', '--name', 'bench', 'busybox', 'sleep', '60')
  const [{ State }] = JSON.parse(tsrun('inspect', 'bench'))
  const monitor = /PPid:\s*(\d+)/.exec(readFileSync(`/proc/${State.Pid}/status`, 'utf8'))?.[1]
  console.log(`resident memory beside a detached container: ${resident(monitor)}`)
  tsrun('rm', '-f', 'bench')
}

function resident(pid) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return `${/VmRSS:\s*(\d+) kB/.exec(status)?.[1]} kB (${/Name:\s*(\S+)/.exec(status)?.[1]})`
}
