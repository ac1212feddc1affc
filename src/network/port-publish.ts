/** `-p` in docker's forms, `--expose`, and which port of the host each gets. */
import { TsrunError } from '../errors.ts'
import { parseAddress } from './ip-address.ts'
import type { PortMapping } from './network-record.ts'

type Protocol = PortMapping['protocol']

/** One port of the container, and where on the host it may be: any port of a range that is free. */
export interface WantedPort {
  readonly protocol: Protocol
  readonly hostIp: string
  /** First and last; undefined for any that is free. */
  readonly hostPorts: readonly [number, number] | undefined
  readonly containerPort: number
}

interface Range {
  readonly first: number
  readonly last: number
}

/** `[[ip:][port[-port]]:]port[-port][/protocol]`. */
export function parsePublish(text: string): readonly WantedPort[] {
  const [body = '', protocolText = 'tcp', ...more] = text.split('/')
  if (more.length > 0) throw refused(text, 'it has more than one "/"')
  const protocol = protocolOf(protocolText.toLowerCase(), text)
  const { ip, host, container } = splitParts(body, text)
  const hostIp = ip === '' ? '' : parseAddress(ip) === undefined ? undefined : ip
  if (hostIp === undefined) throw refused(text, `"${ip}" is no address of the host`)
  const inside = rangeOf(container, text)
  const outside = host === '' ? undefined : rangeOf(host, text, 0)
  const count = inside.last - inside.first + 1
  const isAny = outside === undefined || (outside.first === 0 && outside.last === 0)
  if (!isAny && count > 1 && outside.last - outside.first + 1 !== count)
    throw refused(text, 'both ranges must be equally long')
  return Array.from({ length: count }, (_, i) => ({
    protocol,
    hostIp,
    containerPort: inside.first + i,
    hostPorts: isAny
      ? undefined
      : count > 1
        ? [outside.first + i, outside.first + i]
        : [outside.first, outside.last],
  }))
}

/** `port[-port][/protocol]` of --expose and of an image. */
export function parseExpose(
  text: string,
): readonly Pick<WantedPort, 'protocol' | 'containerPort'>[] {
  const [body = '', protocolText = 'tcp', ...more] = text.split('/')
  if (more.length > 0 || body.includes(':'))
    throw refused(text, 'it must be port[-port][/protocol]')
  const protocol = protocolOf(protocolText.toLowerCase(), text)
  const { first, last } = rangeOf(body, text)
  return Array.from({ length: last - first + 1 }, (_, i) => ({
    protocol,
    containerPort: first + i,
  }))
}

/** Who has a port of the host already. */
export interface PortHolder {
  readonly protocol: Protocol
  /** Empty or unspecified for every address. */
  readonly hostIp: string
  readonly port: number
  /** `container web`, `process nginx (4711)`. */
  readonly by: string
}

/** Where random ports come from, unless the kernel's own range is known. */
export const RANDOM_PORTS: Range = { first: 32_768, last: 60_999 }

/**
 * A port of the host for each: the first of its range that nobody holds, or any. Throws `failed-precondition`
 * naming the holder.
 */
export function choosePorts(
  wanted: readonly WantedPort[],
  holders: readonly PortHolder[],
  random: Range = RANDOM_PORTS,
): readonly PortMapping[] {
  const chosen: PortMapping[] = []
  for (const port of wanted) {
    const taken = [
      ...holders,
      ...chosen.map(({ hostPort, ...rest }) => ({ ...rest, port: hostPort, by: 'this container' })),
    ]
    chosen.push(chooseOne(port, taken, random))
  }
  return chosen
}

function chooseOne(
  { protocol, hostIp, hostPorts, containerPort }: WantedPort,
  taken: readonly PortHolder[],
  random: Range,
): PortMapping {
  const [first, last] = hostPorts ?? [random.first, random.last]
  // From one place on for one port: who asks again is likely to get the same.
  const start = hostPorts === undefined ? (containerPort * 7919) % (last - first + 1) : 0
  let holder: PortHolder | undefined
  for (let i = 0; i <= last - first; i++) {
    const hostPort = first + ((start + i) % (last - first + 1))
    const found = taken.find(
      (other) =>
        other.protocol === protocol && other.port === hostPort && meet(other.hostIp, hostIp),
    )
    if (found === undefined) return { protocol, hostIp, hostPort, containerPort }
    holder ??= found
  }
  const where = `${hostIp === '' ? '' : `${hostIp}:`}${first === last ? first : `${first}-${last}`}/${protocol}`
  throw new TsrunError(
    'failed-precondition',
    `cannot publish port ${where}: ${holder?.by ?? 'nobody'} has it`,
    { hint: 'choose another port, or leave it out for any that is free' },
  )
}

/** Whether listeners at both addresses get in each other's way. */
function meet(a: string, b: string): boolean {
  const every = (ip: string): boolean => ip === '' || ip === '0.0.0.0' || ip === '::'
  const isV6 = (ip: string): boolean => ip.includes(':')
  if (a === '' || b === '') return true
  if (isV6(a) !== isV6(b)) return false
  return every(a) || every(b) || a === b
}

function splitParts(body: string, text: string): { ip: string; host: string; container: string } {
  const bracketed = /^\[([^\]]*)\](?::(.*))?$/.exec(body)
  const parts = (bracketed === null ? body : (bracketed[2] ?? '')).split(':')
  if (bracketed !== null) parts.unshift(bracketed[1] ?? '')
  const [a = '', b, c, ...rest] = parts
  if (rest.length > 0) throw refused(text, 'an IPv6 address stands in brackets')
  if (c !== undefined) return { ip: a, host: b ?? '', container: c }
  if (bracketed !== null) return { ip: a, host: '', container: b ?? '' }
  return b === undefined ? { ip: '', host: '', container: a } : { ip: '', host: a, container: b }
}

function rangeOf(text: string, whole: string, least = 1): Range {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text)
  const first = Number(match?.[1] ?? Number.NaN)
  const last = Number(match?.[2] ?? first)
  if (match !== null && first >= least && last <= 65_535 && first <= last) return { first, last }
  throw refused(whole, `"${text}" is no port or range of ports from 1 to 65535`)
}

function protocolOf(text: string, whole: string): Protocol {
  if (text === 'tcp' || text === 'udp' || text === 'sctp') return text
  throw refused(whole, `"${text}" is none of tcp, udp, sctp`)
}

function refused(text: string, why: string): TsrunError {
  return new TsrunError('invalid-argument', `cannot publish "${text}": ${why}`)
}
