/** The resolver of a container: a process beside it that answers for the names of its networks (tsrun-resolver). */
import { constants, openSync } from 'node:fs'
import { TsrunError } from '../../errors.ts'
import { errnoName } from '../../linux/errno.ts'
import { sealedExecutable, startExecutable } from '../../native/executor.ts'
import { OwnedFd } from '../../native/owned-fd.ts'
import { pipePair } from '../../native/pass-descriptors.ts'
import { newBatch, runBatch } from '../../native/run-batch.ts'
import { reap } from '../../native/syscalls.ts'
import { DEFAULT_NETWORK } from '../../network/network-option.ts'
import type { NetworkRecord } from '../../network/network-record.ts'
import type { NetworkStore } from '../../network/network-store.ts'
import { forwardServers } from '../../network/resolv-conf.ts'
import { type ResolverSettings, resolverOf, settingsText } from '../../network/resolver-files.ts'
import { isAlive, readProcStat } from '../../runtime/process-liveness.ts'
import type { ContainerRecord } from '../container-record.ts'
import type { Engine } from '../engine.ts'
import { hostResolvConf } from '../resolv-conf.ts'
import type { Inside } from './join-networks.ts'
import { leadsOut } from './leads-out.ts'
import { networksOf } from './network-engine.ts'

/** struct resolver_report of native-bindings/resolver.h: the step that failed or 0, its errno or the pid. */
const REPORT_SIZE = 8
const STEPS = ['', 'arguments', 'session', 'sockets at 127.0.0.11', 'confinement']

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
  const before = resolverOf(store.resolver(record.id) ?? '')
  const lives = before !== undefined && isAlive(before.pid, before.startTime)
  const process = lives ? before : startResolver(store, record, inside)
  store.writeResolver(record.id, settingsText(settingsOf(record, networks, process)))
  return !lives
}

/** Tells a resolver that runs of the container's networks. */
export function updateResolver(
  engine: Engine,
  record: ContainerRecord,
  networks: readonly NetworkRecord[],
): void {
  const { store } = networksOf(engine)
  const process = resolverOf(store.resolver(record.id) ?? '')
  if (process === undefined) return
  store.writeResolver(record.id, settingsText(settingsOf(record, networks, process)))
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
  const [reader, writer] = pipePair()
  using ours = reader
  using theirs = writer
  using folder = new OwnedFd(openSync(store.folder, constants.O_RDONLY | constants.O_DIRECTORY))
  const child = startExecutable(
    sealedExecutable('tsrun-resolver').fd,
    ['tsrun-resolver', id],
    [folder.fd, inside.namespace, inside.process, theirs.fd],
  )
  theirs.close()
  using _pidfd = child.pidfd
  const pid = receivePid(ours.fd)
  reap(child.pidfd.fd, true)
  const startTime = readProcStat(pid)?.startTime
  if (startTime !== undefined) return { pid, startTime }
  throw new TsrunError(
    'unavailable',
    'cannot start the resolver for names of containers: it was killed',
  )
}

function receivePid(fd: number): number {
  const batch = newBatch()
  const buffer = batch.zeros(REPORT_SIZE)
  const length = batch.sys('read', [fd, buffer, REPORT_SIZE])
  const result = runBatch(batch)
  const report = result.bytes(buffer)
  const step = report.readInt32LE(0)
  const value = report.readInt32LE(4)
  if (result.value(length) === REPORT_SIZE && step === 0) return value
  const what =
    result.value(length) === REPORT_SIZE
      ? `${STEPS[step]}: ${errnoName(value)}`
      : 'it ended at once'
  throw new TsrunError('unavailable', `cannot start the resolver for names of containers: ${what}`)
}
