/** Ports as `ps`, `port` and `inspect` show them: docker's words for a lease and for what is only exposed. Pure. */
import type { Lease, PortMapping } from './network-record.ts'

/** One port of a container; without `hostPort` it is not published. */
export interface ShownPort {
  readonly protocol: PortMapping['protocol']
  readonly containerPort: number
  /** `0.0.0.0` and `::` for every address of the host; empty for a port that is not published. */
  readonly hostIp: string
  readonly hostPort?: number
}

/** A port published on every address stands there once for each family that the container has. */
export function portsOf(lease: Pick<Lease, 'ipv4' | 'ipv6' | 'ports'>): readonly ShownPort[] {
  const everywhere = [
    ...(lease.ipv4 === undefined ? [] : ['0.0.0.0']),
    ...(lease.ipv6 === undefined ? [] : ['::']),
  ]
  return lease.ports.flatMap(({ hostIp, ...port }) =>
    (hostIp === '' ? everywhere : [hostIp]).map((ip) => ({ ...port, hostIp: ip })),
  )
}

/** Those that are exposed and not published, behind the published ones. */
export function withExposed(
  published: readonly ShownPort[],
  exposed: readonly Pick<ShownPort, 'protocol' | 'containerPort'>[],
): readonly ShownPort[] {
  const known = new Set(published.map(portKey))
  const rest = new Map(exposed.map((port) => [portKey(port), port]))
  return [
    ...published,
    ...[...rest]
      .filter(([key]) => !known.has(key))
      .map(([, { protocol, containerPort }]) => ({ protocol, containerPort, hostIp: '' })),
  ]
}

/** `80/tcp`. */
export function portKey(port: Pick<ShownPort, 'protocol' | 'containerPort'>): string {
  return `${port.containerPort}/${port.protocol}`
}

/** `0.0.0.0:8080`, with brackets around an IPv6 address: what `port` prints. */
export function hostSide({ hostIp, hostPort }: ShownPort): string {
  return `${hostIp.includes(':') ? `[${hostIp}]` : hostIp}:${hostPort}`
}

/**
 * The column PORTS: `0.0.0.0:8080->80/tcp, :::8080->80/tcp`. As docker does it, neighbours whose numbers are the same
 * outside and inside become one range, and these stand first.
 */
export function describePorts(ports: readonly ShownPort[]): string {
  const sorted = [...ports].sort(
    (a, b) =>
      a.containerPort - b.containerPort ||
      compareTexts(a.hostIp, b.hostIp) ||
      (a.hostPort ?? 0) - (b.hostPort ?? 0) ||
      compareTexts(a.protocol, b.protocol),
  )
  const isMoved = ({ hostPort, containerPort }: ShownPort): boolean =>
    hostPort !== undefined && hostPort !== containerPort
  const moved = sorted
    .filter(isMoved)
    .map((port) => `${port.hostIp}:${port.hostPort}->${portKey(port)}`)
  return [...rangesOf(sorted.filter((port) => !isMoved(port))), ...moved].join(', ')
}

function rangesOf(sorted: readonly ShownPort[]): string[] {
  const groups = new Map<string, ShownPort[][]>()
  for (const port of sorted) {
    const key = `${port.hostIp} ${port.protocol} ${port.hostPort === undefined}`
    const runs = groups.get(key) ?? []
    const last = runs.at(-1)
    if (last !== undefined && last.at(-1)?.containerPort === port.containerPort - 1) last.push(port)
    else runs.push([port])
    groups.set(key, runs)
  }
  return [...groups.values()].flat().flatMap((run) => describeRun(run) ?? [])
}

function describeRun(run: readonly ShownPort[]): string | undefined {
  const [first] = run
  if (first === undefined) return undefined
  const last = run.at(-1) ?? first
  const range =
    run.length === 1 ? `${first.containerPort}` : `${first.containerPort}-${last.containerPort}`
  const outside = first.hostPort === undefined ? '' : `${first.hostIp}:${range}->`
  return `${outside}${range}/${first.protocol}`
}

function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
