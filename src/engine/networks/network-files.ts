/** /etc/hosts and /etc/resolv.conf of containers in networks. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { CniResult } from '../../network/cni/cni-network.ts'
import {
  type HostEntry,
  LOCALHOST,
  ownHosts,
  parseAddHost,
  withEntries,
} from '../../network/hosts-file.ts'
import type { Lease, NetworkRecord } from '../../network/network-record.ts'
import { containerResolvConf, resolverConf } from '../../network/resolv-conf.ts'
import { existsAt, readShortText } from '../../util/if-there.ts'
import type { ContainerRecord } from '../container-record.ts'
import type { Engine } from '../engine.ts'
import { hostResolvConf } from '../resolv-conf.ts'
import type { Joined } from './join-networks.ts'
import { leadsOut } from './leads-out.ts'
import { hasNames } from './resolver.ts'

/** A container writes these files, too: what is longer is not read. */
const MAX_SIZE = 1024 * 1024

/** Writes both files of a container that is about to start. */
export function writeNetworkFiles(
  engine: Engine,
  record: ContainerRecord,
  joined: readonly Joined[],
): void {
  const path = join(engine.containers.directory(record.id), 'hosts')
  writeInPlace(path, freshHosts(record, joined))
  const networks = joined.map(({ network }) => network)
  writeResolvConf(engine, record, networks)
}

function freshHosts({ request, hostname }: ContainerRecord, joined: readonly Joined[]): string {
  const networks = joined.map(({ network }) => network)
  const gateway = (networks.find(leadsOut) ?? networks[0])?.subnets[0]?.gateway
  const own = joined.flatMap(({ lease }) => entriesOf(lease, [hostname]))
  const added = (request.addHosts ?? [])
    // A container that has left its last network while it ran reaches the host no more.
    .filter((text) => joined.length > 0 || !/[:=]\[?host-gateway\]?$/.test(text))
    .map((text) => parseAddHost(text, gateway))
  return ownHosts(LOCALHOST, [...added, ...own])
}

/**
 * Gives `record` the files of a container whose network it is about to share. What that one has grown beyond a
 * use is its own affair: `record` keeps what it has.
 */
export function copyNetworkFiles(
  { containers }: Engine,
  other: ContainerRecord,
  record: ContainerRecord,
): void {
  for (const name of ['hosts', 'resolv.conf']) {
    const text = readShortText(join(containers.directory(other.id), name), MAX_SIZE)
    if (typeof text === 'string') writeInPlace(join(containers.directory(record.id), name), text)
  }
}

/** Both files of a container in a CNI network: what its plugins say of names, or the host's servers. */
export function writeCniFiles(
  directory: string,
  { request, hostname }: ContainerRecord,
  { addresses, nameServers, search }: CniResult,
): void {
  const { addHosts = [], dns = [], dnsSearch = [], dnsOptions = [] } = request
  const own = addresses.map((address) => ({ address, names: [hostname] }))
  const added = addHosts.map((text) => parseAddHost(text, undefined))
  writeInPlace(join(directory, 'hosts'), ownHosts(LOCALHOST, [...added, ...own]))
  const given = {
    servers: dns.length > 0 ? dns : nameServers,
    search: dnsSearch.length > 0 ? dnsSearch : search,
    options: dnsOptions,
  }
  const text = containerResolvConf(hostResolvConf('bridge'), given, true)
  writeInPlace(join(directory, 'resolv.conf'), text)
}

/** The resolv.conf of a container: with a network that has names, its own resolver. */
export function writeResolvConf(
  engine: Engine,
  { id, request: { dns = [], dnsSearch = [], dnsOptions = [] } }: ContainerRecord,
  networks: readonly NetworkRecord[],
): void {
  const given = { servers: dns, search: dnsSearch, options: dnsOptions }
  const text = networks.some(hasNames)
    ? resolverConf(hostResolvConf('host'), given)
    : containerResolvConf(hostResolvConf('bridge'), given, true)
  writeInPlace(join(engine.containers.directory(id), 'resolv.conf'), text)
}

/**
 * The container's own names in its hosts file after it has joined or left a network while it ran; `now` is where it
 * is. What the container has made too long is written anew.
 */
export function rewriteOwnNames(
  engine: Engine,
  record: ContainerRecord,
  change: { readonly gone?: Lease; readonly come?: Lease },
  now: readonly Joined[],
): void {
  const path = join(engine.containers.directory(record.id), 'hosts')
  const entriesFor = (lease: Lease | undefined): HostEntry[] =>
    lease === undefined ? [] : entriesOf(lease, [record.hostname])
  const before = readShortText(path, MAX_SIZE)
  if (before === undefined) return
  const text =
    typeof before === 'string'
      ? withEntries(before, entriesFor(change.gone), entriesFor(change.come))
      : freshHosts(record, now)
  writeInPlace(path, text)
}

/** What is known of a network of a user's when its program is ready. */
export interface UserModeNames {
  readonly nameServer: string
  readonly address: string | undefined
  /** Where the container reaches the host. */
  readonly host: string | undefined
}

/** Writes both files of a container whose network a program of the user's carries. */
export function writeUserModeFiles(
  directory: string,
  { request, hostname }: ContainerRecord,
  { nameServer, address, host }: UserModeNames,
): void {
  const { addHosts = [], dns = [], dnsSearch = [], dnsOptions = [] } = request
  const own = address === undefined ? [] : [{ address, names: [hostname] }]
  const added = addHosts.map((text) => parseAddHost(text, host))
  writeInPlace(join(directory, 'hosts'), ownHosts(LOCALHOST, [...added, ...own]))
  const servers = dns.length > 0 ? dns : [nameServer]
  writeInPlace(
    join(directory, 'resolv.conf'),
    // The host's own servers, on its loopback interface too, are asked by the program.
    containerResolvConf(
      hostResolvConf('host'),
      { servers, search: dnsSearch, options: dnsOptions },
      false,
    ),
  )
}

function entriesOf({ ipv4, ipv6 }: Lease, names: readonly string[]): HostEntry[] {
  return [ipv4, ipv6].flatMap((address) => (address === undefined ? [] : [{ address, names }]))
}

// Not renamed over: the container has this very file, by a bind mount.
function writeInPlace(path: string, text: string): void {
  if (existsAt(path) && readShortText(path, MAX_SIZE) !== text) writeFileSync(path, text)
}
