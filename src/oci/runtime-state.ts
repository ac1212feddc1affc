/** The state of a container as runtime-spec's `state` operation and runc's `list --format json` show it. */

/** runtime.md "State": the four of the spec, and runc's `paused`. */
export type RuntimeStatus = 'creating' | 'created' | 'running' | 'paused' | 'stopped'

/** What `state` prints and hooks read on stdin (runtime.md "State"). */
export interface RuntimeState {
  readonly ociVersion: string
  readonly id: string
  readonly status: RuntimeStatus
  /** 0 once the container has stopped. */
  readonly pid: number
  readonly bundle: string
  readonly annotations?: Readonly<Record<string, string>>
}

/** A line of runc's `list`, and what runc's own `state` prints: the state with three more facts. */
export interface ListedState extends RuntimeState {
  readonly rootfs: string
  /** RFC 3339 time of creation. */
  readonly created: string
  /** User name of the owner of the state directory. */
  readonly owner: string
}

export interface StateFacts {
  readonly id: string
  readonly status: RuntimeStatus
  readonly pid: number
  readonly bundle: string
  readonly ociVersion: string
  readonly annotations?: Readonly<Record<string, string>> | undefined
}

/** The spec's state document: no pid of a dead process, no empty annotations. */
export function runtimeState(facts: StateFacts): RuntimeState {
  const annotations = facts.annotations ?? {}
  return {
    ociVersion: facts.ociVersion,
    id: facts.id,
    status: facts.status,
    pid: facts.status === 'stopped' ? 0 : facts.pid,
    bundle: facts.bundle,
    ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
  }
}

/** The document of `list --format json` and of runc's `state`, with the keys in runc's order. */
export function listedState(
  facts: StateFacts,
  extra: { readonly rootfs: string; readonly created: Date; readonly owner: string },
): ListedState {
  const { annotations, ...state } = runtimeState(facts)
  return {
    ociVersion: state.ociVersion,
    id: state.id,
    pid: state.pid,
    status: state.status,
    bundle: state.bundle,
    rootfs: extra.rootfs,
    created: extra.created.toISOString(),
    ...(annotations === undefined ? {} : { annotations }),
    owner: extra.owner,
  }
}
