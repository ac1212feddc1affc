/** Many containers on one network at once, and kill -9 of half of the commands: nothing is left, no address is two's. */
import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { NetworkHost } from '../support/network-host.ts'
import { missing } from '../support/requires.ts'
import { until } from '../support/until.ts'

/** As many as CI has time for; TSRUN_CROWD=200 is the figure of the issue. */
const COUNT = Number(process.env.TSRUN_CROWD ?? 24)
/** Each command is a process of 60 MB. */
const AT_ONCE = Math.min(COUNT, 40)
/** In which a command is killed: from its first instructions to after its container runs. */
const KILL_WITHIN_MS = 1500

interface Lease {
  readonly containerName: string
  readonly ipv4: string
  readonly ipv6: string
  readonly ports: readonly { readonly hostPort: number }[]
}

describe.skipIf(missing('root', 'command:ip', 'command:nft'))('a crowd on one network', () => {
  let network: NetworkHost

  const leases = (): readonly Lease[] =>
    JSON.parse(readFileSync(join(network.engine.dataRoot, 'networks/crowd/leases.json'), 'utf8'))
      .leases
  const veths = (): string[] =>
    network.host.succeed(['ip', '-br', 'link']).match(/^veth\w+/gm) ?? []
  /** The parts of nf_tables that are about published ports. */
  const published = (): string[] =>
    network.host
      .succeed(['nft', 'list', 'ruleset'])
      .match(/map publish\w+ \{[^}]*elements[^}]*\}/g) ?? []

  const command = (...args: string[]): ChildProcess =>
    spawn('nsenter', [`--net=${network.host.path}`, '--', ...network.engine.commandLine(args)], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })

  /** What the commands say that were not killed, and failed. */
  async function inParallel(commands: readonly (() => ChildProcess)[]): Promise<string[]> {
    const waiting = [...commands.entries()]
    const problems: string[] = []
    const work = async (): Promise<void> => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        const [i, start] = next
        const problem = await ended(start(), i % 2 === 1)
        if (problem !== '') problems.push(problem)
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, work))
    return problems
  }

  beforeAll(async () => {
    network = await NetworkHost.make()
    network.tsrun('network', 'create', '--ipv6', '--subnet', '10.66.0.0/16', 'crowd')
  })

  afterAll(() => {
    network?.[Symbol.dispose]()
  })

  it(`of ${COUNT} containers`, async () => {
    const run = (i: number) => () => {
      const options = ['--network', 'crowd', '-p', '80', '--name', `c${i}`]
      return command('run', '-d', ...options, 'busybox', 'sleep', '1000')
    }
    expect(await inParallel(Array.from({ length: COUNT }, (_, i) => run(i)))).toEqual([])
    // What was killed half way, this takes back.
    network.tsrun('system', 'check')
    const names = network.tsrun('ps', '--format', '{{.Names}}').split('\n').sort()
    expect(names.length).toBeGreaterThanOrEqual(COUNT / 2)
    const given = leases()
    expect(given.map(({ containerName }) => containerName).sort()).toEqual(names)
    const parts = [
      given.map(({ ipv4 }) => ipv4),
      given.map(({ ipv6 }) => ipv6),
      given.flatMap(({ ports }) => ports.map(({ hostPort }) => String(hostPort))),
    ]
    for (const part of parts) expect(new Set(part).size).toBe(names.length)
    expect(veths()).toHaveLength(names.length)

    const rest = await inParallel(names.map((name) => () => command('rm', '-f', name)))
    expect(rest).toEqual([])
    const left = network.tsrun('ps', '-aq').split('\n').filter(Boolean)
    if (left.length > 0) network.tsrun('rm', '-f', ...left)
    // A pair is there for as long as its namespace is.
    await until(
      () => `no veth pair is left, but ${veths().join(' ')}`,
      () => veths().length === 0,
    )
    expect(network.tsrun('system', 'check')).toContain('Nothing found')
    expect(leases()).toEqual([])
    expect(published()).toEqual([])
    expect(await network.engine.settled()).toEqual([])
  })
})

/** Kills it at some moment of its life when it is to be killed; what it says when it fails otherwise. */
function ended(child: ChildProcess, isKilled: boolean): Promise<string> {
  let said = ''
  child.stderr?.on('data', (bytes) => {
    said += bytes
  })
  // nsenter becomes the command.
  const timer = isKilled
    ? setTimeout(() => child.kill('SIGKILL'), Math.random() * KILL_WITHIN_MS)
    : undefined
  return new Promise((resolve) =>
    child.once('close', (code, signal) => {
      clearTimeout(timer)
      resolve(code === 0 || signal === 'SIGKILL' ? '' : said || `it ended with ${code ?? signal}`)
    }),
  )
}
