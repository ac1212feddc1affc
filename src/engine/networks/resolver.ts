/** The resolver of a container: a process beside it that answers for the names of its networks (tsrun-resolver). */
import { constants, openSync } from 'node:fs'
import { OwnedFd } from '../../native/owned-fd.ts'
import { sealedMemfd } from '../../native/syscalls.ts'
import { DEFAULT_NETWORK } from '../../network/network-option.ts'
import type { NetworkRecord } from '../../network/network-record.ts'
import type { NetworkStore } from '../../network/network-store.ts'
import { forwardServers } from '../../network/resolv-conf.ts'
import { type ResolverSettings, resolverOf, settingsText } from '../../network/resolver-files.ts'
import { redirectToResolver } from '../../network/resolver-redirect.ts'
import { isAlive } from '../../runtime/process-liveness.ts'
import type { ContainerRecord } from '../container-record.ts'
import type { Engine } from '../engine.ts'
import { hostResolvConf } from '../resolv-conf.ts'
import type { Inside } from './join-networks.ts'
import { leadsOut } from './leads-out.ts'
import { networksOf } from './network-engine.ts'
import { startHelper } from './start-helper.ts'

const STEPS = ['arguments', 'session', 'sockets at 127.0.0.11', 'confinement']

/** Whether containers of the network find each other by name. In the default one they do not, as in docker. */
export function hasNames({ name }: Pick<NetworkRecord, 'name'>): boolean {
  return name !== DEFAULT_NETWORK
}

/**
 * Tells the container's resolver of its networks, and starts it when there is none yet. It ends with the container's
 * init. True when it has been started.
 */
export function settleResolver(
  engine: Engine,
  record: ContainerRecord,
  networks: readonly NetworkRecord[],
  inside: Inside,
): boolean {
  const { store } = networksOf(engine)
  const before = resolverOf(store.resolvers.read(record.id) ?? '')
  const lives = before !== undefined && isAlive(before.pid, before.startTime)
  const process = lives ? before : startResolver(store, record, inside)
  store.resolvers.write(record.id, settingsText(settingsOf(record, networks, process)))
  return !lives
}

/** Tells a resolver that runs of the container's networks. */
export function updateResolver(
  engine: Engine,
  record: ContainerRecord,
  networks: readonly NetworkRecord[],
): void {
  const { store } = networksOf(engine)
  const process = resolverOf(store.resolvers.read(record.id) ?? '')
  if (process === undefined) return
  store.resolvers.write(record.id, settingsText(settingsOf(record, networks, process)))
}

function settingsOf(
  { request: { dns = [], dnsSearch = [], dnsOptions = [] } }: ContainerRecord,
  networks: readonly NetworkRecord[],
  process: ResolverSettings['process'],
): ResolverSettings {
  const given = { servers: dns, search: dnsSearch, options: dnsOptions }
  return {
    // The resolver asks from the host: from networks without a way out nobody shall ask through it.
    servers: networks.some(leadsOut) ? forwardServers(hostResolvConf('host'), given) : [],
    networks: networks.filter(hasNames).map(({ name }) => name),
    process,
  }
}

function startResolver(
  store: NetworkStore,
  { id }: ContainerRecord,
  inside: Inside,
): ResolverSettings['process'] {
  using folder = new OwnedFd(openSync(store.folder, constants.O_RDONLY | constants.O_DIRECTORY))
  using rules = sealedMemfd('tsrun-redirect', redirectToResolver(), false)
  return startHelper({
    name: 'tsrun-resolver',
    args: [id],
    descriptors: [folder.fd, inside.namespace, inside.process, rules.fd],
    steps: STEPS,
  })
}
