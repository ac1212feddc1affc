/** An engine in a network namespace that stands for the host, with another at the end of a link as the outside world. */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { TestEngine } from './engine.ts'
import { holdNetwork, type NetworkNamespace } from './network-namespace.ts'
import { until } from './until.ts'

/** Addresses of the host and of the outside. */
export const HOST_V4 = '192.0.2.1'
export const HOST_V6 = '2001:db8::1'
export const OUTSIDE_V4 = '192.0.2.2'
export const OUTSIDE_V6 = '2001:db8::2'

// The outside is the host's way to everything.
const PREPARE = `ip link set lo up
ip link add up0 type veth peer name eth0
ip addr add ${HOST_V4}/24 dev up0; ip addr add ${HOST_V6}/64 dev up0 nodad; ip link set up0 up`

export class NetworkHost implements Disposable {
  readonly engine: TestEngine
  readonly host: NetworkNamespace
  readonly outside: NetworkNamespace

  private constructor(engine: TestEngine, host: NetworkNamespace, outside: NetworkNamespace) {
    this.engine = engine
    this.host = host
    this.outside = outside
  }

  /** With the busybox image in its store. */
  static async make(): Promise<NetworkHost> {
    const engine = new TestEngine()
    await engine.loadBusybox()
    const outside = await holdNetwork('ip link set lo up')
    const host = await holdNetwork(PREPARE)
    host.succeed(['ip', 'link', 'set', 'eth0', 'netns', outside.path.split('/')[2] ?? ''])
    for (const line of [
      `addr add ${OUTSIDE_V4}/24 dev eth0`,
      `addr add ${OUTSIDE_V6}/64 dev eth0 nodad`,
      'link set eth0 up',
    ])
      outside.succeed(['ip', ...line.split(' ')])
    return new NetworkHost(engine, host, outside)
  }

  /** Runs `tsrun <args>` on the host; throws unless it succeeds. The result is stdout without its last newline. */
  tsrun(...args: string[]): string {
    return this.host.succeed(this.engine.commandLine(args), { timeout: 60_000 }).replace(/\n$/, '')
  }

  /** What `tsrun <args>` says when it fails. */
  failure(...args: string[]): string {
    const { status, stderr } = spawnSync(
      'nsenter',
      [`--net=${this.host.path}`, '--', ...this.engine.commandLine(args)],
      { encoding: 'utf8', timeout: 60_000 },
    )
    return status === 0 ? 'it succeeded' : stderr.trim()
  }

  /** What a script prints in a container that runs already. */
  inside(container: string, script: string): string {
    return this.tsrun('exec', container, 'sh', '-c', script)
  }

  /** What a script prints on the host, or in the outside world. */
  script(where: 'host' | 'outside', script: string): string {
    return this[where].succeed(['busybox', 'sh', '-c', script]).replace(/\n$/, '')
  }

  /** A container that serves its name on TCP port 80 of both families, once `listens` says so. */
  serve(name: string, ...options: string[]): void {
    const script = 'while true; do echo "I am $NAME" | nc -l -p 80; done'
    const all = [
      '-e',
      `NAME=${name}`,
      '--stop-timeout',
      '0',
      ...options,
      'busybox',
      'sh',
      '-c',
      script,
    ]
    this.tsrun('run', '-d', '--name', name, ...all)
  }

  /** Waits until the server in the container listens. */
  async listens(container: string): Promise<void> {
    await until(`${container} listens`, () =>
      this.inside(container, 'cat /proc/net/tcp /proc/net/tcp6').includes(':0050 '),
    )
  }

  /** Interfaces and addresses of the host, leases, and processes beside containers. */
  traces(): string {
    const networks = join(this.engine.dataRoot, 'networks')
    const files = existsSync(networks) ? readdirSync(networks, { recursive: true }).map(String) : []
    const leases = files
      .filter((file) => file.endsWith('leases.json'))
      .map((file) => JSON.stringify(JSON.parse(readFileSync(join(networks, file), 'utf8')).leases))
    const beside = files.filter((file) => /^\.(?:resolvers|proxies)\/./.test(file))
    // Link-local addresses come and go with the carrier of a bridge.
    const links = this.host
      .succeed(['ip', '-br', 'addr'])
      .replace(/\bfe80::\S+|(?<=^\S+ +)[A-Z]+/gm, '')
      .replace(/ +/g, ' ')
    return [links, ...leases, ...beside].join('\n')
  }

  [Symbol.dispose](): void {
    const ids = this.tsrun('ps', '-aq').split('\n').filter(Boolean)
    if (ids.length > 0) this.tsrun('rm', '-f', ...ids)
    this.engine[Symbol.dispose]()
    this.outside[Symbol.dispose]()
    this.host[Symbol.dispose]()
  }
}

/** A shell command that prints what a server at the address says. */
export function ask(address: string, port: number): string {
  return `busybox nc -w 5 ${address} ${port} </dev/null`
}
