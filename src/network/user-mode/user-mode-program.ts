/** Programs that give a container a network without rights on the host's: all of its traffic is theirs, as a user's. */
import type { PortMapping } from '../network-record.ts'
import { PASTA } from './pasta.ts'
import { SLIRP4NETNS } from './slirp4netns.ts'

export type UserModeName = 'pasta' | 'slirp4netns'

export interface UserModeProgram {
  readonly name: UserModeName
  /** What installs it. */
  readonly package: string
  readonly protocols: readonly PortMapping['protocol'][]
  /** Whether a port can be published at an address of IPv6. */
  readonly publishesV6: boolean
  /** Throws `invalid-argument` for options that are none, or not the user's to give. */
  command(options: readonly string[], ports: readonly PortMapping[]): UserModeCommand
}

/** How the program is run; its standard input is the network namespace. */
export interface UserModeCommand {
  readonly args: readonly string[]
  readonly readyOn: 1 | 3
  /** What asks the name servers of the host. */
  readonly nameServer: string
  /** Whether the host's own loopback interface is reached at the gateway. */
  readonly reachesHost: boolean
  /** The socket on which it takes its ports, in the folder that it runs in; without one they are among the arguments. */
  readonly socket?: string
  /** The container's address, as far as that is known before. */
  readonly address?: string
}

/** pasta first: it is quicker, and the container sees who calls. */
export const USER_MODE_PROGRAMS: Readonly<Record<UserModeName, UserModeProgram>> = {
  pasta: PASTA,
  slirp4netns: SLIRP4NETNS,
}

/** `pasta[:option,…]` and `slirp4netns[:option,…]`; undefined for any other network. */
export function parseUserMode(
  text: string,
): { readonly program: UserModeName; readonly options: readonly string[] } | undefined {
  const [program, ...rest] = text.split(':')
  if (program !== 'pasta' && program !== 'slirp4netns') return undefined
  const options = rest.join(':')
  return { program, options: options === '' ? [] : options.split(',') }
}
