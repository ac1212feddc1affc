/** /etc/resolv.conf of a container, as docker makes it. Pure. */
import { TsrunError } from '../errors.ts'
import { parseAddress } from './ip-address.ts'

export interface DnsOptions {
  readonly servers: readonly string[]
  readonly search: readonly string[]
  readonly options: readonly string[]
}

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
        return word === keyword ? [rest] : []
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
      if (!/^[\w.:-]{1,253}$/.test(word))
        throw new TsrunError(
          'invalid-argument',
          `cannot use --${flag} "${word}": it must be one word`,
        )
}
