/**
 * What tsrun-resolver reads (native-bindings/resolver.h is the twin): the names of a network, and whose names and
 * servers one container has. Pure.
 */
import { type Address, parseAddress } from './ip-address.ts'
import { isHostName } from './network-option.ts'
import type { Lease } from './network-record.ts'

/** `<name> <IPv4 or -> <IPv6 or ->`, a line a name. The first of a container is the name of its addresses. */
export function namesText(network: string, leases: readonly Lease[]): string {
  return leases.flatMap((lease) => linesOf(network, lease)).join('')
}

export interface ResolverSettings {
  /** Asked for every other name; none: there are no other names. */
  readonly servers: readonly Address[]
  /** Names of networks, in the order in which they are looked through. */
  readonly networks: readonly string[]
  /** The resolver; not read by itself. */
  readonly process: { readonly pid: number; readonly startTime: number }
}

export function settingsText({ servers, networks, process }: ResolverSettings): string {
  return [
    ...servers.map(({ bytes }) => `forward ${hexOf(bytes)}\n`),
    ...networks.map((name) => `network ${name}\n`),
    `process ${process.pid} ${process.startTime}\n`,
  ].join('')
}

/** The process of settings that were written before. */
export function resolverOf(settings: string): ResolverSettings['process'] | undefined {
  const [, pid, startTime] = /^process (\d+) (\d+)$/m.exec(settings) ?? []
  return pid === undefined ? undefined : { pid: Number(pid), startTime: Number(startTime) }
}

function linesOf(network: string, lease: Lease): string[] {
  const addresses = [lease.ipv4, lease.ipv6].map((text) => {
    const address = text === undefined ? undefined : parseAddress(text)
    return address === undefined ? '-' : hexOf(address.bytes)
  })
  const names = [lease.containerName, ...lease.aliases, lease.containerId.slice(0, 12)]
  const all = names
    .flatMap((name) => [`${name}.${network}`, name])
    .map((name) => name.toLowerCase())
  return [...new Set(all)].filter(isHostName).map((name) => `${name} ${addresses.join(' ')}\n`)
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
