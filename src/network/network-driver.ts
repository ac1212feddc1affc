/**
 * How a kind of network is made of links of the kernel.
 *
 * A network is there from `prepare` to `remove`; `prepare` is called before each container and does what is
 * missing: nothing of a network survives a reboot but its record. A container is in it from `attach` on. When its
 * network namespace ends, the kernel takes its end of a link away and with it the other; `detach` does what is
 * left, and is no error for what is gone already.
 */
import type { Lease, NetworkRecord } from './network-record.ts'

/** The inside of a container: what a driver needs to put a link into it. */
export interface NetworkInside {
  /** Descriptor of the network namespace. */
  readonly namespace: number
  /** Descriptor of an rtnetlink(7) socket of that namespace. */
  readonly socket: number
  /** Name that the interface gets there: `eth0`. */
  readonly interface: string
  /** Its default routes lead through this network. */
  readonly isDefault: boolean
}

export interface NetworkDriver {
  /** Whether it can open ports of the host; where it cannot, `publish` says so. */
  readonly publishes: boolean
  /** Whether there is nothing for `prepare` to do. */
  isReady(network: NetworkRecord): boolean
  prepare(network: NetworkRecord): void
  /** Opens the ports of the lease, before or after `attach`. */
  publish(network: NetworkRecord, lease: Lease): void
  attach(network: NetworkRecord, lease: Lease, inside: NetworkInside): void
  detach(network: NetworkRecord, lease: Lease): void
  remove(network: NetworkRecord): void
}
