/** What is kept of a network and of who is in it. */

export interface NetworkSubnet {
  /** `10.208.0.0/20`. */
  readonly subnet: string
  /** Absent for an internal network that was made without one. */
  readonly gateway?: string
  /** Addresses are given from this part of the subnet. */
  readonly ipRange?: string
}

export type NetworkDriverName = 'bridge' | 'macvlan'

/** network.json. */
export interface NetworkRecord {
  readonly version: 1
  /** 64 hex digits. */
  readonly id: string
  readonly name: string
  readonly driver: NetworkDriverName
  /** RFC 3339, UTC. */
  readonly createdAt: string
  readonly internal: boolean
  readonly subnets: readonly NetworkSubnet[]
  /** The bridge on the host, or the parent of the containers' links. */
  readonly interface: string
  readonly mtu?: number
  readonly labels: Readonly<Record<string, string>>
  readonly options: Readonly<Record<string, string>>
}

/** A published port as it was decided: `hostPort` is a number even where any was asked for. */
export interface PortMapping {
  readonly protocol: 'tcp' | 'udp' | 'sctp'
  /** Empty for every address of the host. */
  readonly hostIp: string
  readonly hostPort: number
  readonly containerPort: number
}

/** One container in one network. */
export interface Lease {
  readonly containerId: string
  readonly containerName: string
  /** Further names by which the others find it. */
  readonly aliases: readonly string[]
  /** The host's end of its veth pair. */
  readonly hostInterface: string
  /** The container's end, `eth0`; absent in books of an older tsrun. */
  readonly interface?: string
  readonly ipv4?: string
  readonly ipv6?: string
  readonly mac: string
  readonly ports: readonly PortMapping[]
}

/** leases.json. */
export interface LeaseBook {
  readonly version: 1
  /** Where the search for the next free address begins, by subnet. */
  readonly next: Readonly<Record<string, number>>
  readonly leases: readonly Lease[]
}

export const NO_LEASES: LeaseBook = { version: 1, next: {}, leases: [] }
