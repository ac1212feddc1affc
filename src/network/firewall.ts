/** The engine's table in nf_tables: made when it is not there, changed by transactions. */
import { SyscallError, TsrunError } from '../errors.ts'
import type { NetlinkRequest } from '../linux/netlink-message.ts'
import { askKernel, askKernelAll, openNetfilterSocket } from '../native/netlink-socket.ts'
import { interfaceKey, SETS, tableMessages } from './firewall-rules.ts'
import { addressAt, type Subnet, sizeOf } from './ip-address.ts'
import {
  addElements,
  deleteElements,
  deleteTable,
  getElement,
  newTable,
  type SetElement,
  transaction,
} from './nftables-codec.ts'

/** What the firewall must know of a bridge. */
export interface GuardedBridge {
  readonly name: string
  readonly internal: boolean
  readonly masquerade: boolean
  readonly subnets: readonly Subnet[]
}

/** Elements of one set. */
export interface SetChange {
  readonly set: keyof typeof SETS
  readonly elements: readonly SetElement[]
}

export class Firewall {
  readonly #table: string

  constructor(table: string) {
    this.#table = table
  }

  /** Whether the table is there and has the bridge: it is not after `nft flush ruleset` or a reload of a firewall. */
  guards(bridge: string): boolean {
    using socket = openNetfilterSocket()
    try {
      askKernel(
        socket.fd,
        getElement(this.#table, SETS.bridges, interfaceKey(bridge)),
        'asking nf_tables for a bridge',
      )
      return true
    } catch (error) {
      if (error instanceof SyscallError && error.code === 'ENOENT') return false
      throw explained(error)
    }
  }

  /** The whole table anew, at once: nobody sees a moment without its rules. */
  replace(bridges: readonly GuardedBridge[], published: readonly SetChange[]): void {
    const table = this.#table
    this.#commit([
      // Made first, so that there is one to delete.
      newTable(table),
      deleteTable(table),
      ...tableMessages(table),
      ...[...bridgeElements(bridges), ...published].flatMap(({ set, elements }) =>
        elements.length === 0 ? [] : [addElements(table, SETS[set], elements)],
      ),
    ])
  }

  /** Removes the table with all that it says; nothing to do when there is none. */
  remove(): void {
    this.#commit([newTable(this.#table), deleteTable(this.#table)])
  }

  add(changes: readonly SetChange[]): void {
    this.#commit(
      changes
        .filter(({ elements }) => elements.length > 0)
        .map(({ set, elements }) => addElements(this.#table, SETS[set], elements)),
    )
  }

  /** Elements that are gone, or whose table is, are no error. */
  delete(changes: readonly SetChange[]): void {
    const each = changes.flatMap(({ set, elements }) =>
      elements.map((element) => deleteElements(this.#table, SETS[set], [element])),
    )
    try {
      this.#commit(each)
    } catch (error) {
      if (!isMissing(error)) throw error
      for (const one of each) this.#deleteIfThere(one)
    }
  }

  #deleteIfThere(request: NetlinkRequest): void {
    try {
      this.#commit([request])
    } catch (error) {
      if (!isMissing(error)) throw error
    }
  }

  #commit(messages: readonly NetlinkRequest[]): void {
    if (messages.length === 0) return
    using socket = openNetfilterSocket()
    try {
      askKernelAll(socket.fd, transaction(messages), () => 'changing nf_tables')
    } catch (error) {
      throw explained(error)
    }
  }
}

/** The elements that make the table know bridges. */
export function bridgeElements(bridges: readonly GuardedBridge[]): readonly SetChange[] {
  const names = (wanted: (bridge: GuardedBridge) => boolean): SetElement[] =>
    bridges.filter(wanted).map(({ name }) => ({ key: interfaceKey(name) }))
  return [
    { set: 'bridges', elements: names(() => true) },
    { set: 'pairs', elements: bridges.map(({ name }) => ({ key: interfaceKey(name, name) })) },
    { set: 'subnets4', elements: rangesOf(bridges, 4) },
    { set: 'subnets6', elements: rangesOf(bridges, 6) },
    { set: 'internal', elements: names(({ internal }) => internal) },
    { set: 'masqueraded', elements: names(({ internal, masquerade }) => masquerade && !internal) },
  ]
}

function rangesOf(bridges: readonly GuardedBridge[], family: 4 | 6): readonly SetElement[] {
  return bridges
    .flatMap(({ subnets }) => subnets)
    .filter(({ address }) => address.family === family)
    .flatMap((subnet) => [
      { key: addressAt(subnet, 0n).bytes },
      { key: addressAt(subnet, sizeOf(subnet)).bytes, isEnd: true as const },
    ])
}

function isMissing(error: unknown): boolean {
  return error instanceof TsrunError && error.errno === 'ENOENT'
}

// EPROTONOSUPPORT: no nfnetlink; EINVAL or EOPNOTSUPP: no nf_tables behind it.
function explained(error: unknown): unknown {
  if (!(error instanceof SyscallError)) return error
  const missing = ['EPROTONOSUPPORT', 'EOPNOTSUPP', 'EINVAL', 'ENOPROTOOPT'].includes(error.code)
  return new TsrunError(missing ? 'unavailable' : 'internal', 'cannot set up the firewall', {
    cause: error,
    errno: error.code,
    ...(missing
      ? {
          hint: 'the kernel needs nf_tables with NAT (modprobe nf_tables nft_nat nft_masq nft_fib_inet), or use --network none or host',
        }
      : {}),
  })
}
