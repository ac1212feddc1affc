/** Which networks have a way out, and from which one ports are published. */
import type { NetworkRecord } from '../../network/network-record.ts'
import type { NetworkEngine } from './network-engine.ts'

/** Whether containers have their default routes through it. */
export function leadsOut({ internal, subnets }: NetworkRecord): boolean {
  return !internal && subnets.some(({ gateway }) => gateway !== undefined)
}

/** The one of a container's networks that its ports are published from; of those that cannot, the first: it says so. */
export function publisherOf(
  { driverOf }: Pick<NetworkEngine, 'driverOf'>,
  networks: readonly NetworkRecord[],
): NetworkRecord | undefined {
  const out = networks.filter(leadsOut)
  return out.find((network) => driverOf(network).publishes) ?? out[0]
}
