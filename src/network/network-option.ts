/** `--network` in docker's forms: a mode, a name, or `name=…,alias=…,ip=…`. */
import { TsrunError } from '../errors.ts'
import { parseAddress } from './ip-address.ts'
import { parseMac } from './netlink-codec.ts'
import { parseUserMode, type UserModeName } from './user-mode/user-mode-program.ts'

/** A container's wish to be in one network; kept in its record. */
export interface NetworkAttachment {
  /** Name or id as the user gave it. */
  readonly network: string
  readonly aliases?: readonly string[]
  readonly ipv4?: string
  readonly ipv6?: string
  readonly mac?: string
}

/** Whose network namespace a container has. */
export type NetworkMode =
  | { readonly kind: 'none' | 'host' }
  | { readonly kind: 'container'; readonly container: string }
  | { readonly kind: 'path'; readonly path: string }
  /** A namespace of its own, which this program serves. */
  | { readonly kind: 'user'; readonly program: UserModeName; readonly options: readonly string[] }
  /** A namespace of its own, in a network of CNI plugins. */
  | { readonly kind: 'cni'; readonly network: string }
  /** A namespace of its own, in these networks. */
  | { readonly kind: 'networks'; readonly attachments: readonly NetworkAttachment[] }

/** The options of `run` that say where a container is. */
export interface NetworkOptions {
  readonly networks: readonly string[]
  readonly aliases: readonly string[]
  readonly ipv4?: string | undefined
  readonly ipv6?: string | undefined
  readonly mac?: string | undefined
}

export const DEFAULT_NETWORK = 'bridge'

/** Checks and reads them. Throws `invalid-argument` that names the wrong one. */
export function parseNetworkMode(options: NetworkOptions): NetworkMode {
  const parsed = (options.networks.length === 0 ? [DEFAULT_NETWORK] : options.networks).map(
    parseOne,
  )
  const [first] = parsed
  if (first === undefined) throw new RangeError('one at least')
  if (typeof first !== 'string' && parsed.every((one) => typeof one !== 'string')) {
    const attachments = parsed.filter((one) => typeof one !== 'string')
    return { kind: 'networks', attachments: withFlags(attachments, options) }
  }
  if (parsed.length > 1)
    throw refused(options.networks.join('" and "'), 'this one goes with no other network')
  if (typeof first !== 'string') throw new RangeError('handled before')
  for (const [flag, value] of flagsOf(options))
    if (value !== undefined)
      throw refused(first, `--${flag} needs a network of the container's own`)
  return modeOf(first)
}

function modeOf(text: string): NetworkMode {
  if (text === 'none' || text === 'host') return { kind: text }
  const userMode = parseUserMode(text)
  if (userMode !== undefined) return { kind: 'user', ...userMode }
  const [kind = '', ...rest] = text.split(':')
  const value = rest.join(':')
  if (kind === 'cni' && value !== '') return { kind: 'cni', network: value }
  if (kind === 'container' && value !== '') return { kind: 'container', container: value }
  if (kind === 'ns' && value.startsWith('/')) return { kind: 'path', path: value }
  throw refused(
    text,
    kind === 'ns'
      ? 'the path must be absolute'
      : `it names no ${kind === 'cni' ? 'network' : 'container'}`,
  )
}

/** A mode as its text, a network as an attachment. */
function parseOne(text: string): string | NetworkAttachment {
  if (text === 'none' || text === 'host' || /^(container|ns|cni):/.test(text)) return text
  if (parseUserMode(text) !== undefined) return text
  if (text.includes(':') && !text.includes('='))
    throw new TsrunError('not-implemented', `cannot use the network "${text}"`, {
      hint: 'it is one of none, host, container:NAME, ns:PATH, cni:NAME, pasta, slirp4netns or the name of a network',
    })
  if (!text.includes('=')) return { network: text === 'default' ? DEFAULT_NETWORK : text }
  const fields: { network: string; aliases: string[]; ipv4?: string; ipv6?: string; mac?: string } =
    { network: '', aliases: [] }
  for (const pair of text.split(',')) {
    const [key = '', ...rest] = pair.split('=')
    const value = rest.join('=')
    if (value === '') throw refused(text, `"${pair}" has no value`)
    if (key === 'name') fields.network = value === 'default' ? DEFAULT_NETWORK : value
    else if (key === 'alias') fields.aliases.push(value)
    else if (key === 'ip') fields.ipv4 = value
    else if (key === 'ip6') fields.ipv6 = value
    else if (key === 'mac-address') fields.mac = value
    else throw refused(text, `"${key}" is none of name, alias, ip, ip6, mac-address`)
  }
  if (fields.network === '') throw refused(text, 'it has no name=')
  return checkAttachment(fields)
}

/** Throws `invalid-argument` for addresses that are none; the rest is as given. */
export function checkAttachment(attachment: NetworkAttachment): NetworkAttachment {
  const { ipv4, ipv6, mac, aliases = [] } = attachment
  if (ipv4 !== undefined && parseAddress(ipv4)?.family !== 4)
    throw refused(attachment.network, `"${ipv4}" is no IPv4 address`)
  if (ipv6 !== undefined && parseAddress(ipv6)?.family !== 6)
    throw refused(attachment.network, `"${ipv6}" is no IPv6 address`)
  if (mac !== undefined && parseMac(mac) === undefined)
    throw refused(attachment.network, `"${mac}" is no MAC address of one interface`)
  const wrong = aliases.find((alias) => !isHostName(alias))
  if (wrong !== undefined)
    throw refused(attachment.network, `the alias "${wrong}" is no name of a host`)
  return attachment
}

/** Letters, digits, hyphens, underscores and dots: what may stand in /etc/hosts and in a question for a name. */
export function isHostName(name: string): boolean {
  return name.length <= 253 && /^[a-zA-Z0-9_]([a-zA-Z0-9_.-]{0,251}[a-zA-Z0-9_])?$/.test(name)
}

/** --ip and the like are the first network's, as in docker. */
function withFlags(
  attachments: readonly NetworkAttachment[],
  { aliases, ipv4, ipv6, mac }: NetworkOptions,
): readonly NetworkAttachment[] {
  return attachments.map((attachment, i) => {
    const names = [...(attachment.aliases ?? []), ...aliases]
    const withNames = names.length === 0 ? attachment : { ...attachment, aliases: names }
    if (i > 0) return checkAttachment(withNames)
    return checkAttachment({
      ...withNames,
      ...(ipv4 === undefined ? {} : { ipv4 }),
      ...(ipv6 === undefined ? {} : { ipv6 }),
      ...(mac === undefined ? {} : { mac }),
    })
  })
}

function flagsOf({ aliases, ipv4, ipv6, mac }: NetworkOptions): [string, unknown][] {
  return [
    ['network-alias', aliases[0]],
    ['ip', ipv4],
    ['ip6', ipv6],
    ['mac-address', mac],
  ]
}

function refused(text: string, why: string): TsrunError {
  return new TsrunError('invalid-argument', `cannot use the network "${text}": ${why}`)
}
