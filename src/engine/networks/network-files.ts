/** /etc/hosts and /etc/resolv.conf of containers in networks. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  type HostEntry,
  LOCALHOST,
  ownHosts,
  parseAddHost,
  withEntries,
  withOthers,
} from '../../network/hosts-file.ts'
import { DEFAULT_NETWORK } from '../../network/network-option.ts'
import type { Lease, NetworkRecord } from '../../network/network-record.ts'
import { containerResolvConf } from '../../network/resolv-conf.ts'
import { readTextIfThere } from '../../util/if-there.ts'
import { type ContainerRecord, shortId } from '../container-record.ts'
import type { Engine } from '../engine.ts'
import { hostResolvConf } from '../resolv-conf.ts'
import type { Joined } from './join-networks.ts'
import { networksOf } from './network-engine.ts'

/** Writes both files of a container that is about to start, and tells the others of it. */
export async function writeNetworkFiles(
  engine: Engine,
  record: ContainerRecord,
  joined: readonly Joined[],
): Promise<void> {
  const directory = engine.containers.directory(record.id)
  const gateway = joined[0]?.network.subnets[0]?.gateway
  const { addHosts = [], dns = [], dnsSearch = [], dnsOptions = [] } = record.request
  const own = joined.flatMap(({ lease }) => entriesOf(lease, [record.hostname]))
  const added = addHosts.map((text) => parseAddHost(text, gateway))
  writeInPlace(join(directory, 'hosts'), ownHosts(LOCALHOST, [...added, ...own]))
  writeInPlace(
    join(directory, 'resolv.conf'),
    containerResolvConf(
      hostResolvConf('bridge'),
      { servers: dns, search: dnsSearch, options: dnsOptions },
      true,
    ),
  )
  for (const { network } of joined) await refreshNames(engine, network)
}

/** The container's own names in its hosts file after it has joined or left a network while it ran. */
export function rewriteOwnNames(
  engine: Engine,
  { id, hostname }: ContainerRecord,
  change: { readonly gone?: Lease | undefined; readonly come?: Lease },
): void {
  const path = join(engine.containers.directory(id), 'hosts')
  const entriesFor = (lease: Lease | undefined): HostEntry[] =>
    lease === undefined ? [] : entriesOf(lease, [hostname])
  writeInPlace(
    path,
    withEntries(readTextIfThere(path) ?? '', entriesFor(change.gone), entriesFor(change.come)),
  )
}

/** Tells every container of the network the names of the others. On the default network there are none, as in docker. */
export async function refreshNames(engine: Engine, network: NetworkRecord): Promise<void> {
  if (network.name === DEFAULT_NETWORK) return
  const { store } = networksOf(engine)
  // Two who write at once would each write what they have seen.
  using _lock = await store.lock()
  const books = store
    .all()
    .filter(({ name }) => name !== DEFAULT_NETWORK)
    .map(({ name }) => store.leases(name).leases)
  const members = new Set(store.leases(network.name).leases.map(({ containerId }) => containerId))
  for (const id of members) {
    const others = books
      .filter((leases) => leases.some(({ containerId }) => containerId === id))
      .flatMap((leases) => leases.filter(({ containerId }) => containerId !== id))
    rewriteHosts(engine, id, others)
  }
}

function rewriteHosts(engine: Engine, id: string, others: readonly Lease[]): void {
  const path = join(engine.containers.directory(id), 'hosts')
  const before = readTextIfThere(path)
  // Its folder is just being removed.
  if (before === undefined) return
  const names = (lease: Lease): string[] => [
    lease.containerName,
    ...lease.aliases,
    shortId(lease.containerId),
  ]
  const after = withOthers(
    before,
    others.flatMap((lease) => entriesOf(lease, names(lease))),
  )
  if (after !== before) writeInPlace(path, after)
}

function entriesOf({ ipv4, ipv6 }: Lease, names: readonly string[]): HostEntry[] {
  return [ipv4, ipv6].flatMap((address) => (address === undefined ? [] : [{ address, names }]))
}

// Not renamed over: the container has this very file, by a bind mount.
function writeInPlace(path: string, text: string): void {
  const before = readTextIfThere(path)
  // One that is not there is not wanted: --no-hosts.
  if (before !== undefined && before !== text) writeFileSync(path, text)
}
