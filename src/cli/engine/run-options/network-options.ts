/** Options of `run` and `create` about networks: which ones, under which addresses, names and ports. */
import { defaultNetwork } from '../../../engine/networks/default-network.ts'
import type { RunRequest } from '../../../engine/run-request.ts'
import type { CommandOptions, OptionSpec } from '../command.ts'

export const NETWORK_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  network: {
    type: 'list',
    alias: 'net',
    describe:
      'none, host, container:NAME, ns:PATH, cni:NAME, pasta, slirp4netns, or the name of a network',
    value: 'network',
  },
  'network-alias': { type: 'list', describe: 'a further name in its networks', value: 'name' },
  ip: { type: 'string', describe: 'its IPv4 address', value: 'address' },
  ip6: { type: 'string', describe: 'its IPv6 address', value: 'address' },
  'mac-address': { type: 'string', describe: 'its hardware address', value: 'aa:bb:cc:dd:ee:ff' },
  publish: {
    type: 'list',
    alias: 'p',
    describe: 'make a port of the container one of the host',
    value: '[[ip:]port:]port[/udp]',
  },
  'publish-all': { type: 'flag', alias: 'P', describe: 'publish all exposed ports' },
  expose: { type: 'list', describe: 'a port for --publish-all', value: 'port[/udp]' },
  dns: { type: 'list', describe: "a name server instead of the host's", value: 'address' },
  'dns-search': { type: 'list', describe: 'a domain to search names in', value: 'domain' },
  'dns-option': {
    type: 'list',
    alias: 'dns-opt',
    describe: 'an option of resolv.conf',
    value: 'option',
  },
  'add-host': {
    type: 'list',
    describe: 'a line of /etc/hosts; host-gateway is the host',
    value: 'name:address',
  },
}

function wantsPorts(options: CommandOptions): boolean {
  return options.list('publish').length > 0 || options.flag('publish-all')
}

/** What of the options has no effect, one sentence each. */
export function networkWarnings(options: CommandOptions): readonly string[] {
  if (!wantsPorts(options) || !options.list('network').includes('host')) return []
  return [
    '--publish has no effect: with --network host all ports of the container are ports of the host',
  ]
}

export function networkRequest(options: CommandOptions): Partial<RunRequest> {
  const given = options.list('network')
  const networks = given.length === 0 ? [defaultNetwork(wantsPorts(options), process.env)] : given
  return {
    network: networks.includes('host') ? 'host' : 'none',
    networks,
    networkAliases: options.list('network-alias'),
    ip: options.string('ip'),
    ip6: options.string('ip6'),
    macAddress: options.string('mac-address'),
    publish: options.list('publish'),
    publishAll: options.flag('publish-all'),
    expose: options.list('expose'),
    dns: options.list('dns'),
    dnsSearch: options.list('dns-search'),
    dnsOptions: options.list('dns-option'),
    addHosts: options.list('add-host'),
  }
}
