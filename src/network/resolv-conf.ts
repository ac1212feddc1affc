/** /etc/resolv.conf of a container, as docker makes it. Pure. */
import { TsrunError } from '../errors.ts'
import { type Address, parseAddress } from './ip-address.ts'

export interface DnsOptions {
  readonly servers: readonly string[]
  readonly search: readonly string[]
  readonly options: readonly string[]
}

/** A domain to search in, or an option. */
const WORD = /^[\w.:-]{1,253}$/

/** Where a host without any reachable name server sends its containers; docker's choice, too. */
const PUBLIC_SERVERS = ['8.8.8.8', '8.8.4.4']

/**
 * The host's file with what the user gave instead. With `isolated` servers at the host's loopback are left out,
 * which are not the container's.
 */
export function containerResolvConf(host: string, given: DnsOptions, isolated: boolean): string {
  const lines = host.split(/\r?\n/).map((line) => line.replace(/[#;].*$/, '').trim())
  const valuesOf = (keyword: string): string[] =>
    lines
      .flatMap((line) => {
        const [word, ...rest] = line.split(/\s+/)
        return word === keyword ? [rest.filter((value) => WORD.test(value))] : []
      })
      .at(-1) ?? []
  const servers = lines.flatMap((line) => {
    const [word, server = ''] = line.split(/\s+/)
    if (word !== 'nameserver') return []
    const isLoopback = /^127\.|^::1$/.test(server)
    return parseAddress(server.replace(/%.*$/, '')) === undefined || (isolated && isLoopback)
      ? []
      : [server]
  })
  const own = servers.length > 0 || !isolated ? servers : PUBLIC_SERVERS
  const search = given.search.length > 0 ? given.search : valuesOf('search')
  const options = given.options.length > 0 ? given.options : valuesOf('options')
  return [
    ...(given.servers.length > 0 ? given.servers : own).map((server) => `nameserver ${server}`),
    // `--dns-search .` stands for none.
    ...(search.length === 0 || search.includes('.') ? [] : [`search ${search.join(' ')}`]),
    ...(options.length === 0 ? [] : [`options ${options.join(' ')}`]),
    '',
  ].join('\n')
}

/** The address at which the resolver of a container answers; docker's. */
const RESOLVER = '127.0.0.11'

/** The file of a container that asks its own resolver, which gets {@link forwardServers}. */
export function resolverConf(host: string, given: DnsOptions): string {
  const text = containerResolvConf(host, { ...given, servers: [RESOLVER] }, true)
  const [, options = ''] = /^options (.*)$/m.exec(text) ?? []
  const rest = text.replace(/^options .*\n/m, '')
  // Every name is asked for as it is first: containers have names without dots.
  const own = options.split(' ').some((word) => given.options.includes(word) && isDots(word))
  const kept = options.split(' ').filter((word) => word !== '' && (own || !isDots(word)))
  return `${rest}options ${[...kept, ...(own ? [] : ['ndots:0'])].join(' ')}\n`
}

/** Whom the resolver asks: it asks from the host, so that the host's own loopback is as good as any other address. */
export function forwardServers(host: string, given: DnsOptions): readonly Address[] {
  const text = containerResolvConf(host, { ...given, search: [], options: [] }, false)
  const found = text.split('\n').flatMap((line) => {
    const [word, server = ''] = line.split(' ')
    return word === 'nameserver' ? (parseAddress(server) ?? []) : []
  })
  return found.length > 0 ? found : PUBLIC_SERVERS.flatMap((server) => parseAddress(server) ?? [])
}

function isDots(word: string): boolean {
  return word.startsWith('ndots:')
}

/** Throws `invalid-argument` for what cannot stand in the file. */
export function checkDnsOptions({ servers, search, options }: DnsOptions): void {
  for (const server of servers)
    if (parseAddress(server) === undefined)
      throw new TsrunError('invalid-argument', `cannot use --dns "${server}": it is no address`)
  for (const [flag, words] of [
    ['dns-search', search],
    ['dns-option', options],
  ] as const)
    for (const word of words)
      if (!WORD.test(word))
        throw new TsrunError(
          'invalid-argument',
          `cannot use --${flag} "${word}": it must be one word`,
        )
}
