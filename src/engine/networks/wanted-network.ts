/** Which network a request asks for, as the container's record keeps it; checked before anything is made. */
import { TsrunError } from '../../errors.ts'
import { ownsNetwork } from '../../native/owns-network.ts'
import { type NetworkMode, parseNetworkMode } from '../../network/network-option.ts'
import { parseExpose, parsePublish } from '../../network/port-publish.ts'
import { checkDnsOptions } from '../../network/resolv-conf.ts'
import type { ContainerRecord } from '../container-record.ts'
import type { RunRequest } from '../run-request.ts'
import { defaultUserMode } from './find-user-mode.ts'

/** Throws `invalid-argument` for options that are none, or that do not go together. */
export function networkOf(request: RunRequest): Pick<ContainerRecord, 'networkMode' | 'networks'> {
  if (request.networks === undefined) return { networkMode: request.network ?? 'none' }
  const networks = ownsNetwork()
    ? request.networks
    : request.networks.map((one) => (one === 'default' ? defaultUserMode() : one))
  const mode = parseNetworkMode({
    networks,
    aliases: request.networkAliases ?? [],
    ipv4: request.ip,
    ipv6: request.ip6,
    mac: request.macAddress,
  })
  checkDnsOptions({
    servers: request.dns ?? [],
    search: request.dnsSearch ?? [],
    options: request.dnsOptions ?? [],
  })
  for (const text of request.publish ?? []) parsePublish(text)
  for (const text of request.expose ?? []) parseExpose(text)
  refuseWithoutRights(mode)
  if (mode.kind === 'networks')
    return { networkMode: mode.attachments[0]?.network ?? '', networks: mode.attachments }
  if ((request.publish ?? []).length > 0) refusePorts(mode)
  if (mode.kind === 'container') return { networkMode: `container:${mode.container}` }
  if (mode.kind === 'cni') return { networkMode: `cni:${mode.network}` }
  if (mode.kind === 'user') return { networkMode: networks[0] ?? mode.program }
  return { networkMode: mode.kind === 'path' ? `ns:${mode.path}` : mode.kind }
}

function refuseWithoutRights(mode: NetworkMode): void {
  const isRoot = ownsNetwork()
  if (mode.kind === 'networks' && !isRoot)
    throw new TsrunError(
      'permission-denied',
      `cannot use the network "${mode.attachments[0]?.network}": networks of bridges need root`,
      { hint: 'use --network pasta' },
    )
  if (mode.kind === 'cni' && !isRoot)
    throw new TsrunError(
      'permission-denied',
      `cannot use the network "cni:${mode.network}": plugins of CNI need root`,
      { hint: 'use --network pasta' },
    )
  if (mode.kind === 'user' && isRoot)
    throw new TsrunError(
      'invalid-argument',
      `cannot use the network "${mode.program}": it is for containers of users without root`,
      { hint: 'use --network bridge' },
    )
}

function refusePorts({ kind }: NetworkMode): void {
  if (kind === 'host' || kind === 'user' || kind === 'cni') return
  throw new TsrunError(
    'invalid-argument',
    'cannot publish ports: the container has no network of its own to publish them from',
    { hint: 'leave --network out, or publish them where the network is made' },
  )
}
