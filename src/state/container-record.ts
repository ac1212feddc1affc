/** What is remembered of a container: the text of `<root>/<id>/state.json`. */
import { TsrunError } from '../errors.ts'

/** A container of the OCI runtime. Fields follow the spec's state where it has them. */
export interface ContainerRecord {
  readonly ociVersion: string
  readonly id: string
  /** Absolute. */
  readonly bundle: string
  /** Absolute. */
  readonly rootfs: string
  /** RFC 3339. */
  readonly created: string
  /** Host pid of init. A pid alone names nobody: it goes with {@link startTime}. */
  readonly pid: number
  /** Field 22 of /proc/<pid>/stat: clock ticks since boot. */
  readonly startTime: number
  /** Absolute path of the cgroup v2 directory, when the container has its own. */
  readonly cgroup?: string
  /** The unit of systemd that the cgroup belongs to, and whose systemd it is, when it made it. */
  readonly scope?: { readonly unit: string; readonly manager: 'system' | 'user' }
  /** How often the cgroups above had run out of their memory before the container was made, by their paths. */
  readonly oomsAbove?: Readonly<Record<string, number>>
  /** What init's standard streams are, as /proc/<pid>/fd shows it: `pipe:[…]`, `/dev/null`. For checkpoints. */
  readonly stdio?: readonly string[]
  /** The user who made it. */
  readonly owner: number
}

const TEXT_FIELDS = ['ociVersion', 'id', 'bundle', 'rootfs', 'created'] as const
const NUMBER_FIELDS = ['pid', 'startTime', 'owner'] as const

/** Parses a state.json. Throws TsrunError `internal` naming the file when it is damaged. */
export function parseContainerRecord(text: string, path: string): ContainerRecord {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw damaged(path, cause)
  }
  if (typeof value !== 'object' || value === null) throw damaged(path)
  for (const field of TEXT_FIELDS)
    if (typeof Reflect.get(value, field) !== 'string') throw damaged(path)
  for (const field of NUMBER_FIELDS) {
    if (!Number.isSafeInteger(Reflect.get(value, field))) throw damaged(path)
  }
  return value as ContainerRecord
}

function damaged(path: string, cause?: unknown): TsrunError {
  return new TsrunError('internal', `cannot read the container state ${path}: it is damaged`, {
    cause,
    hint: 'remove the container with tsrun delete --force',
  })
}
