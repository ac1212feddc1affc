/** What `inspect` says of a container's networks, in docker's shape. */
import { parseSubnet } from '../../network/ip-address.ts'
import { DEFAULT_NETWORK } from '../../network/network-option.ts'
import { parsePublish } from '../../network/port-publish.ts'
import { portKey, type ShownPort } from '../../network/shown-ports.ts'
import { type ContainerRecord, shortId } from '../container-record.ts'
import type { RunRequest } from '../run-request.ts'
import { type Endpoint, exposedOf, shownPorts } from './endpoints.ts'

type Json = Record<string, unknown>

/** `NetworkSettings`; with the address in the default network on top, as docker has it there. */
export function networkSettingsOf(
  record: ContainerRecord,
  endpoints: readonly Endpoint[],
  pid: number,
): Json {
  const first = endpoints.find(({ name }) => name === DEFAULT_NETWORK)
  return {
    Bridge: '',
    SandboxKey: pid === 0 ? '' : `/proc/${pid}/ns/net`,
    Ports: bindings(shownPorts(record, endpoints)),
    ...addressesOf(first),
    Networks: new Map(networksOf(record, endpoints)),
  }
}

/** `HostConfig.PortBindings`: what was asked for, not what became of it. */
export function portBindingsOf({ publish = [] }: RunRequest): Map<string, unknown> {
  const byPort = new Map<string, Json[]>()
  for (const { hostIp, hostPorts, ...port } of publish.flatMap(parsePublish)) {
    const [first, last] = hostPorts ?? ['', '']
    const range = first === last ? String(first) : `${first}-${last}`
    const known = byPort.get(portKey(port)) ?? []
    byPort.set(portKey(port), [...known, { HostIp: hostIp, HostPort: range }])
  }
  return byPort
}

/** `Config.ExposedPorts`: those of the image, of --expose and of -p. */
export function exposedPortsOf(record: ContainerRecord): Map<string, unknown> {
  const published = (record.request.publish ?? []).flatMap(parsePublish)
  return new Map([...exposedOf(record), ...published].map((port) => [portKey(port), new Map()]))
}

function bindings(ports: readonly ShownPort[]): Map<string, readonly Json[] | null> {
  const byPort = new Map<string, readonly Json[] | null>()
  for (const port of ports) {
    const known = byPort.get(portKey(port)) ?? []
    const binding = { HostIp: port.hostIp, HostPort: String(port.hostPort) }
    byPort.set(portKey(port), port.hostPort === undefined ? null : [...known, binding])
  }
  return byPort
}

function networksOf(record: ContainerRecord, endpoints: readonly Endpoint[]): [string, Json][] {
  const { networkMode } = record
  // These two are networks for docker; a namespace of somebody else is none.
  if (networkMode === 'none' || networkMode === 'host')
    return [[networkMode, endpointOf(record, { name: networkMode, attachment: { network: '' } })]]
  return endpoints.map((endpoint) => [endpoint.name, endpointOf(record, endpoint)])
}

function endpointOf(record: ContainerRecord, endpoint: Endpoint): Json {
  const { attachment, network } = endpoint
  const { ipv4, ipv6, aliases = [] } = attachment
  const isNamed = network !== undefined && network.name !== DEFAULT_NETWORK
  return {
    IPAMConfig:
      ipv4 === undefined && ipv6 === undefined
        ? null
        : {
            ...(ipv4 === undefined ? {} : { IPv4Address: ipv4 }),
            ...(ipv6 === undefined ? {} : { IPv6Address: ipv6 }),
          },
    Links: null,
    Aliases: aliases.length === 0 ? null : aliases,
    DriverOpts: null,
    NetworkID: network?.id ?? '',
    ...addressesOf(endpoint),
    DNSNames: isNamed ? [record.name, ...aliases, shortId(record.id)] : null,
  }
}

function addressesOf(endpoint: Endpoint | undefined): Json {
  const { lease, network } = endpoint ?? {}
  const partOf = (family: 4 | 6) => {
    const subnets = lease === undefined ? [] : (network?.subnets ?? [])
    const own = subnets.find(({ subnet }) => parseSubnet(subnet)?.address.family === family)
    const prefix = own === undefined ? undefined : parseSubnet(own.subnet)?.prefix
    return { gateway: own?.gateway ?? '', prefix: prefix ?? 0 }
  }
  return {
    IPAddress: lease?.ipv4 ?? '',
    IPPrefixLen: partOf(4).prefix,
    Gateway: partOf(4).gateway,
    GlobalIPv6Address: lease?.ipv6 ?? '',
    GlobalIPv6PrefixLen: partOf(6).prefix,
    IPv6Gateway: partOf(6).gateway,
    MacAddress: lease?.mac ?? '',
  }
}
