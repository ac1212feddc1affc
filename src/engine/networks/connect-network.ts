/** `network connect` and `network disconnect`: a container comes into a network or leaves one, also while it runs. */
import { TsrunError } from '../../errors.ts'
import { hasDefaultRoute, leadOut } from '../../network/default-route.ts'
import { refuseUnplaced } from '../../network/ipam.ts'
import { removeLink } from '../../network/links.ts'
import { checkAttachment, type NetworkAttachment } from '../../network/network-option.ts'
import type { Lease, NetworkRecord } from '../../network/network-record.ts'
import { type ContainerRecord, shortId } from '../container-record.ts'
import { statusOf } from '../container-status.ts'
import type { Engine } from '../engine.ts'
import { networkFor } from './create-network.ts'
import { type Endpoint, EndpointReader } from './endpoints.ts'
import { attachInterface, type Joined, joinNetwork, publishFrom } from './join-networks.ts'
import { leadsOut, publisherOf } from './leads-out.ts'
import { leaveNetwork } from './leave-networks.ts'
import { startProxy } from './loopback-proxy.ts'
import { networksOf } from './network-engine.ts'
import { rewriteOwnNames, writeResolvConf } from './network-files.ts'
import { hasNames, settleResolver, updateResolver } from './resolver.ts'
import { freeInterface, openRunningNetwork, type RunningNetwork } from './running-network.ts'
import { wantedPorts } from './wanted-ports.ts'

/** Puts the container into the network that the attachment names; one that does not run when it starts. */
export async function connectNetwork(
  engine: Engine,
  id: string,
  given: NetworkAttachment,
): Promise<void> {
  using member = await lockMember(engine, id, 'connect')
  const { record, endpoints } = member
  const network = await networkFor(networksOf(engine), given.network)
  if (endpoints.some((one) => one.network?.id === network.id))
    throw new TsrunError(
      'already-exists',
      `cannot connect container "${record.name}" to the network "${network.name}": it is in it`,
    )
  const attachment = checkAttachment({ ...given, network: network.name })
  refuseUnplaced(network, attachment)
  // Written first: whoever cleans up after a kill looks here for what there may be.
  const connected = { ...record, networks: [...(record.networks ?? []), attachment] }
  engine.containers.write(connected)
  try {
    using inside = member.runs ? await openRunningNetwork(record) : undefined
    if (inside !== undefined) await enterRunning(engine, connected, attachment, endpoints, inside)
  } catch (error) {
    await leaveNetwork(engine, id, network.name)
    engine.containers.write(record)
    throw error
  }
}

/** Takes the container out of the network. With `force` one of which nothing but a lease is left, too. */
export async function disconnectNetwork(
  engine: Engine,
  reference: string,
  container: string,
  options: { readonly force: boolean },
): Promise<void> {
  const network = networksOf(engine).store.resolve(reference)
  const id = options.force ? findLeft(engine, network, container) : undefined
  if (id !== undefined) {
    await leaveNetwork(engine, id, network.name)
    return
  }
  using member = await lockMember(engine, engine.containers.find(container), 'disconnect')
  const { record, endpoints } = member
  if (!endpoints.some((one) => one.network?.id === network.id))
    throw new TsrunError(
      'failed-precondition',
      `cannot disconnect container "${record.name}" from the network "${network.name}": it is not in it`,
    )
  if (member.runs && network.driver !== 'bridge') await removeInside(record, network, endpoints)
  const left = await leaveNetwork(engine, record.id, network.name)
  const rest = endpoints.filter((one) => one.network?.id !== network.id)
  engine.containers.write({ ...record, networks: rest.map(({ attachment }) => attachment) })
  if (left === undefined || !member.runs) return
  updateResolver(engine, record, networksAt(rest))
  await reroute(engine, record, rest, left)
  rewriteOwnNames(engine, record, { gone: left }, joinedAt(rest))
}

/** An interface that has no other end on the host. */
async function removeInside(
  record: ContainerRecord,
  { id }: NetworkRecord,
  endpoints: readonly Endpoint[],
): Promise<void> {
  const { lease } = endpoints.find(({ network }) => network?.id === id) ?? {}
  using inside = await openRunningNetwork(record)
  if (inside !== undefined && lease !== undefined)
    removeLink(inside.socket, lease.interface ?? 'eth0')
}

interface Member extends Disposable {
  readonly record: ContainerRecord
  readonly endpoints: readonly Endpoint[]
  readonly runs: boolean
}

async function lockMember(engine: Engine, id: string, verb: string): Promise<Member> {
  const { containers } = engine
  const lock = await containers.lock(id)
  const record = lock === undefined ? undefined : containers.read(id)
  if (lock === undefined || record === undefined || containers.isUnfinished(id)) {
    lock?.close()
    throw new TsrunError('not-found', `no such container: ${shortId(id)}`)
  }
  if (record.networks === undefined) {
    lock.close()
    throw new TsrunError(
      'failed-precondition',
      `cannot ${verb} container "${record.name}": its network is ${record.networkMode}`,
      { hint: 'make it with --network and the name of a network' },
    )
  }
  const { status } = statusOf(record, containers.directory(id))
  const runs = status === 'running' || status === 'paused'
  const endpoints = new EndpointReader(engine.dataRoot).of(record, runs)
  return { record, endpoints, runs, [Symbol.dispose]: () => lock.close() }
}

async function enterRunning(
  engine: Engine,
  record: ContainerRecord,
  attachment: NetworkAttachment,
  before: readonly Endpoint[],
  inside: RunningNetwork,
): Promise<void> {
  const networks = networksOf(engine)
  const network = await networkFor(networks, attachment.network)
  const all = [...networksAt(before), network]
  const joined = await joinNetwork(engine, record, attachment, {
    ports: publisherOf(networks, all) === network ? wantedPorts(record) : [],
    interface: freeInterface(inside.socket),
  })
  attachInterface(networks, joined, inside, !hasDefaultRoute(inside.socket))
  startProxy(engine, joined.lease, inside.process)
  if (all.some(hasNames) && settleResolver(engine, record, all, inside))
    writeResolvConf(engine, record, all)
  rewriteOwnNames(engine, record, { come: joined.lease }, [...joinedAt(before), joined])
}

function joinedAt(endpoints: readonly Endpoint[]): readonly Joined[] {
  return endpoints.flatMap(({ network, lease }) => (network && lease ? [{ network, lease }] : []))
}

function networksAt(endpoints: readonly Endpoint[]): readonly NetworkRecord[] {
  return endpoints.flatMap(({ network }) => network ?? [])
}

/** Gives what led through the network that was left to the next that leads out: default routes, and ports if it can. */
async function reroute(
  engine: Engine,
  record: ContainerRecord,
  rest: readonly Endpoint[],
  left: Lease,
): Promise<void> {
  const networks = networksOf(engine)
  const entered = rest.filter(({ lease }) => lease !== undefined)
  const next = entered.find(({ network }) => network && leadsOut(network))
  if (next?.network === undefined || next.lease === undefined) return
  using inside = await openRunningNetwork(record)
  if (inside === undefined) return
  if (!hasDefaultRoute(inside.socket)) leadOut(inside.socket, next.network, next.lease)
  const publisher = publisherOf(networks, networksAt(entered))
  if (left.ports.length === 0 || publisher === undefined) return
  if (networks.driverOf(publisher).publishes) await publishFrom(engine, publisher, left, inside)
}

/** A container that is gone and has a lease in the network all the same. */
function findLeft(engine: Engine, network: NetworkRecord, container: string): string | undefined {
  const { leases } = networksOf(engine).store.leases(network.name)
  const lease = leases.find(
    ({ containerId, containerName }) =>
      containerName === container || (container !== '' && containerId.startsWith(container)),
  )
  const isThere = lease !== undefined && engine.containers.read(lease.containerId) !== undefined
  return isThere ? undefined : lease?.containerId
}
