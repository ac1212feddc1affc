/**
 * `npm run bench:networks`: a container's network from tsrun beside the CNI bridge plugin and netavark, in a network
 * namespace of its own: how long it takes to be made and taken back, and what goes through it. Asserts nothing.
 */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { build } from 'esbuild'

const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 30)
const SECONDS = Number(process.env.BENCH_SECONDS ?? 3)
const TURNS = 3
const CNI = '/usr/lib/cni'
const NETAVARK = ['/usr/lib/podman/netavark', '/usr/libexec/podman/netavark'].find(existsSync)
const ID = (name, i) => `${name}${i}`.padEnd(64, '0')

if (process.argv[2] !== '--inside') enterNamespaces()
const work = mkdtempSync(join(tmpdir(), 'tsrun-bench-networks-'))
try {
  await main()
} finally {
  rmSync(work, { recursive: true, force: true })
}

/** Runs this script again where bridges, rules, /run and CNI's files are nobody else's. */
function enterNamespaces() {
  const script = `ip link set lo up; mount -t tmpfs none /run; mount -t tmpfs none /var/lib/cni 2>/dev/null; exec "$@"`
  const { NODE_EXTRA_CA_CERTS: _, ...env } = process.env
  const inner = ['sh', '-c', script, 'sh', process.execPath, process.argv[1], '--inside']
  const argv = ['-n', '-m', '--propagation', 'private', ...inner]
  process.exit(spawnSync('unshare', argv, { stdio: 'inherit', env }).status ?? 125)
}

async function main() {
  const kinds = [await tsrunKind(), cniKind(), netavarkKind()].filter(Boolean)
  const results = new Map()
  const note = (name, value) => results.set(name, [...(results.get(name) ?? []), value])
  // Interleaved, so that a busy minute hits all alike.
  for (let i = 0; i < ROUNDS; i++)
    for (const kind of kinds) {
      makeNamespace(`${kind.name}-${i}`)
      const network = await kind.join(`${kind.name}-${i}`)
      const down = await network.leave()
      // The first makes the bridge.
      if (i > 0) note(kind.name, network.ms + down)
      spawnSync('ip', ['netns', 'delete', `${kind.name}-${i}`])
    }
  reportTimes(results, kinds)
  if (has('iperf3')) await reportThroughput(kinds)
  else console.log('no iperf3: throughput is left out')
}

function reportTimes(results, kinds) {
  console.log(`a container's network, made and taken back (ms, ${ROUNDS - 1} rounds)`)
  const own = median(results.get(kinds[0].name))
  for (const { name, label } of kinds) {
    const values = results.get(name)
    const ratio = (median(values) / own).toFixed(1)
    console.log(
      `  ${label.padEnd(34)} median ${median(values).toFixed(2).padStart(8)}  best ${Math.min(
        ...values,
      )
        .toFixed(2)
        .padStart(8)}  x${ratio}`,
    )
  }
}

async function reportThroughput(kinds) {
  const rates = new Map()
  const note = (name, value) => rates.set(name, [...(rates.get(name) ?? []), value])
  const ready = []
  for (const kind of kinds.slice(0, 2)) {
    const ends = []
    for (const end of ['a', 'b']) {
      makeNamespace(`${kind.name}-${end}`)
      ends.push({ end: `${kind.name}-${end}`, network: await kind.join(`${kind.name}-${end}`) })
    }
    ready.push({ kind, ends })
  }
  for (let turn = 0; turn < TURNS; turn++)
    for (const { kind, ends } of ready) {
      const [a, b] = ends
      note(`${kind.name} container to host`, await iperf(undefined, a.end, kind.gateway(a.end)))
      note(`${kind.name} container to container`, await iperf(b.end, a.end, b.network.address))
    }
  for (const { ends } of ready)
    for (const { end, network } of ends) {
      await network.leave()
      spawnSync('ip', ['netns', 'delete', end])
    }
  console.log(`throughput, TCP (Gbit/s, median of ${TURNS} times ${SECONDS} s)`)
  for (const path of ['container to host', 'container to container']) {
    const [ours, theirs] = ready.map(({ kind }) => median(rates.get(`${kind.name} ${path}`)))
    const beside =
      theirs === undefined
        ? ''
        : `CNI bridge ${theirs.toFixed(1)}  ${((100 * ours) / theirs).toFixed(0)}%`
    console.log(`  ${path.padEnd(34)} tsrun ${ours.toFixed(1)}  ${beside}`)
  }
}

async function tsrunKind() {
  const outfile = resolve('dist', 'bench-warm-networks.mjs')
  const entryPoints = ['test/bench/warm-networks.ts']
  const target = { platform: 'node', format: 'esm', target: 'node20' }
  await build({ entryPoints, bundle: true, ...target, outfile, logLevel: 'error' })
  const { openBenchEngine, joinBenchNetwork } = await import(outfile)
  rmSync(outfile)
  const engine = openBenchEngine(work)
  return {
    name: 'tsrun',
    label: 'tsrun, in a warm process',
    gateway: gatewayOf,
    async join(namespace) {
      const id = ID(namespace, '')
      const { up, down } = await joinBenchNetwork(engine, id, `/run/netns/${namespace}`)
      return { ms: up, leave: down, address: addressOf(namespace) }
    },
  }
}

function cniKind() {
  if (!existsSync(`${CNI}/bridge`)) return undefined
  const subnet = { subnet: '10.231.0.0/16', gateway: '10.231.0.1' }
  const ipam = { type: 'host-local', ranges: [[subnet]], routes: [{ dst: '0.0.0.0/0' }] }
  const config = JSON.stringify({
    ...{ cniVersion: '1.0.0', name: 'bench', type: 'bridge', bridge: 'cni-bench0', ipam },
    ...{ isGateway: true, ipMasq: true, hairpinMode: true },
  })
  const call = (verb, namespace) => {
    const env = {
      ...{ PATH: process.env.PATH, CNI_COMMAND: verb, CNI_CONTAINERID: ID(namespace, '') },
      ...{ CNI_NETNS: `/run/netns/${namespace}`, CNI_IFNAME: 'eth0', CNI_PATH: CNI },
    }
    return timed(`${CNI}/bridge`, [], config, env)
  }
  return {
    name: 'cni',
    label: 'CNI bridge plugin',
    gateway: gatewayOf,
    join: (namespace) => ({
      ms: call('ADD', namespace),
      leave: () => call('DEL', namespace),
      address: addressOf(namespace),
    }),
  }
}

function netavarkKind() {
  if (NETAVARK === undefined) return undefined
  const directory = join(work, 'netavark')
  mkdirSync(directory)
  let next = 2
  // As podman calls it: options and networks of one container on standard input.
  const config = (namespace, address) =>
    JSON.stringify({
      ...{ container_id: ID(namespace, ''), container_name: namespace },
      networks: { bench: { static_ips: [address], interface_name: 'eth0' } },
      network_info: {
        bench: {
          ...{
            name: 'bench',
            id: ID('bench', ''),
            driver: 'bridge',
            network_interface: 'podman-b0',
          },
          subnets: [{ subnet: '10.232.0.0/16', gateway: '10.232.0.1' }],
          ...{ ipv6_enabled: false, internal: false, dns_enabled: false },
          ...{ ipam_options: { driver: 'host-local' }, options: {} },
        },
      },
    })
  const call = (verb, namespace, address) =>
    timed(
      NETAVARK,
      ['--config', directory, verb, `/run/netns/${namespace}`],
      config(namespace, address),
    )
  return {
    name: 'netavark',
    label: 'netavark',
    gateway: gatewayOf,
    join(namespace) {
      const address = `10.232.0.${next++}`
      const ms = call('setup', namespace, address)
      return { ms, leave: () => call('teardown', namespace, address), address }
    },
  }
}

function timed(command, args, input, env = process.env) {
  const begin = performance.now()
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    input,
    env,
    encoding: 'utf8',
  })
  if (status !== 0)
    throw new Error(`${command} ${args.join(' ')}: ${status} ${error ?? ''}${stderr}${stdout}`)
  return performance.now() - begin
}

/** Gbit/s from the namespace `from` to the server in `to`, or on the host. */
async function iperf(to, from, address) {
  const inside = (name, words) =>
    name === undefined ? words : ['ip', 'netns', 'exec', name, ...words]
  const [command, ...rest] = inside(to, [
    'iperf3',
    '--server',
    '--one-off',
    '--port',
    '5999',
    '--forceflush',
  ])
  const server = spawn(command, rest, { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = new Promise((done) => server.once('close', done))
  await new Promise((listens) => server.stdout.once('data', listens))
  server.stdout.resume()
  const client = inside(from, [
    'iperf3',
    '--client',
    address,
    '--port',
    '5999',
    '--time',
    String(SECONDS),
    '--json',
  ])
  const { status, stdout } = spawnSync(client[0], client.slice(1), { encoding: 'utf8' })
  await ended
  if (status !== 0) throw new Error(`iperf3 to ${address}: ${stdout}`)
  return JSON.parse(stdout).end.sum_received.bits_per_second / 1e9
}

function makeNamespace(name) {
  const { status, stderr } = spawnSync('ip', ['netns', 'add', name], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`ip netns add ${name}: ${stderr}`)
}

function addressOf(namespace) {
  const { stdout } = spawnSync('ip', ['-n', namespace, '-4', '-o', 'addr', 'show', 'eth0'], {
    encoding: 'utf8',
  })
  return /inet ([\d.]+)/.exec(stdout)?.[1]
}

function gatewayOf(namespace) {
  const { stdout } = spawnSync('ip', ['-n', namespace, 'route'], { encoding: 'utf8' })
  return /default via (\S+)/.exec(stdout)?.[1]
}

function has(program) {
  return spawnSync('sh', ['-c', `command -v ${program}`]).status === 0
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)]
}
