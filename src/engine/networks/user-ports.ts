/** Ports of containers in networks of users: what pasta and slirp4netns listen on, and what is kept of it. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { TsrunError } from '../../errors.ts'
import type { Lease, PortMapping } from '../../network/network-record.ts'
import { openPorts, portHolders } from '../../network/open-ports.ts'
import { choosePorts, type PortHolder, type WantedPort } from '../../network/port-publish.ts'
import type { UserModeProgram } from '../../network/user-mode/user-mode-program.ts'
import { readJsonFile, writeJsonFile } from '../../util/json-file.ts'
import type { ContainerRecord } from '../container-record.ts'
import { isLive, statusOf } from '../container-status.ts'
import type { Engine } from '../engine.ts'
import { wantedPorts } from './wanted-ports.ts'

const FILE = 'user-network.json'

/** What a container got when it was started last; undefined for one that was in no such network. */
export function readUserLease(directory: string): Lease | undefined {
  const value = readJsonFile(join(directory, FILE))
  return isLease(value) ? value : undefined
}

/** Keeps it in the container's folder. */
export function writeUserLease(
  directory: string,
  { id, name }: ContainerRecord,
  {
    ports,
    address,
  }: { readonly ports: readonly PortMapping[]; readonly address: string | undefined },
): void {
  const isV6 = address?.includes(':') === true
  const lease: Lease = {
    containerId: id,
    containerName: name,
    aliases: [],
    hostInterface: '',
    mac: '',
    ports,
    ...(address === undefined ? {} : isV6 ? { ipv6: address } : { ipv4: address }),
  }
  writeJsonFile(join(directory, FILE), lease, { durable: false })
}

/** Chooses the ports of the host. The caller holds the lock of the networks until somebody listens there. */
export function publishUserPorts(
  engine: Engine,
  record: ContainerRecord,
  program: UserModeProgram,
): readonly PortMapping[] {
  const wanted = wantedPorts(record)
  for (const port of wanted) refuseUnable(program, port)
  return wanted.length === 0
    ? []
    : choosePorts(wanted, [...leaseHolders(engine, record.id), ...portHolders(openPorts())])
}

function refuseUnable({ name, protocols, publishesV6 }: UserModeProgram, port: WantedPort): void {
  const { protocol, hostIp, hostPorts, containerPort } = port
  const text = `${hostPorts?.[0] ?? containerPort}/${protocol}`
  if (!protocols.includes(protocol))
    throw refused(text, `${name} carries ${protocols.join(' and ')} alone`)
  if (hostIp.includes(':') && !publishesV6)
    throw refused(text, `${name} listens on addresses of IPv4 alone`, 'use --network pasta')
  const first = firstFree()
  if (hostPorts !== undefined && hostPorts[0] < first)
    throw refused(
      text,
      `users have ports from ${first} on`,
      `choose one, or as root: sysctl net.ipv4.ip_unprivileged_port_start=${hostPorts[0]}`,
    )
}

function firstFree(): number {
  return Number(readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8'))
}

/** A program listens for each container: what the process is called helps nobody. */
export function leaseHolders(engine: Engine, own: string): readonly PortHolder[] {
  const { containers } = engine
  return containers.ids().flatMap((id) => {
    const lease = id === own ? undefined : readUserLease(containers.directory(id))
    const record = lease === undefined ? undefined : containers.read(id)
    if (lease === undefined || record === undefined) return []
    if (!isLive(statusOf(record, containers.directory(id)))) return []
    return lease.ports.map(({ protocol, hostIp, hostPort }) => ({
      protocol,
      hostIp,
      port: hostPort,
      by: `the container "${record.name}"`,
    }))
  })
}

function isLease(value: unknown): value is Lease {
  return typeof value === 'object' && value !== null && Array.isArray(Reflect.get(value, 'ports'))
}

function refused(text: string, why: string, hint?: string): TsrunError {
  return new TsrunError('invalid-argument', `cannot publish port ${text}: ${why}`, {
    ...(hint === undefined ? {} : { hint }),
  })
}
