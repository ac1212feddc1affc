/** container.json: what the engine knows of one container beside its bundle. */
import { TsrunError } from '../errors.ts'
import type { NetworkAttachment } from '../network/network-option.ts'
import type { ReachedLimit } from '../runtime/limits-reached.ts'
import type { Ids } from '../spec/user-namespace.ts'
import type { HealthConfig } from './health-config.ts'
import type { RunRequest } from './run-request.ts'

/** What the last command that changed the container wrote; container-status.ts says what is true now. */
export interface RecordedState {
  readonly status: 'creating' | 'created' | 'running' | 'restarting' | 'exited'
  /** Pid of the container's init; a process only together with {@link startTime}. */
  readonly pid?: number
  /** Clock ticks since boot (/proc/<pid>/stat). */
  readonly startTime?: number
  readonly monitorPid?: number
  readonly monitorStartTime?: number
  /** A start is under way, or was killed when nobody holds the container's lock. */
  readonly starting?: boolean
  /** A `pause` has begun and no `unpause` has ended; the cgroup says whether it is frozen. */
  readonly paused?: boolean
  readonly startedAt?: string
  readonly finishedAt?: string
  readonly exitCode?: number
  /** Why the container could not start, or what is wrong with it. */
  readonly error?: string
  /** How often the monitor has started it anew since a user did. */
  readonly restartCount?: number
  /** Of docker's back-off: how long the monitor has waited before the last start of its own. */
  readonly restartStep?: number
  readonly oomKilled?: boolean
  /** The limits that the container had run into when it ended. */
  readonly limitsReached?: readonly ReachedLimit[]
}

export interface VolumeRecord {
  readonly type: 'bind' | 'tmpfs' | 'volume' | 'image'
  /** What is mounted: a path of the host, for an image its reference. */
  readonly source: string
  readonly destination: string
  readonly readOnly: boolean
  readonly propagation: string
  /** Of a volume. */
  readonly name?: string
  /** The volume was made for this container and goes with it. */
  readonly anonymous?: boolean
  /** What stood after the second colon of -v. */
  readonly mode?: string
  /** Of a volume or an image. */
  readonly subpath?: string
  /** The options of its mount, for those who mount the same again (--volumes-from). */
  readonly options?: readonly string[]
  /** A name in the container's folder, where its part is mounted for init to take it from. */
  readonly stage?: string
  /** Key of the snapshot that it stands on: an image's, or what an overlay has written. */
  readonly snapshot?: string
}

export interface ContainerRecord {
  readonly version: 1
  readonly id: string
  readonly name: string
  /** RFC 3339, UTC. */
  readonly createdAt: string
  /** The reference as the user gave it and the digest of the image's configuration. */
  readonly image?: { readonly reference: string; readonly id: string }
  /** Root filesystem given by path instead of an image. */
  readonly rootfs?: string
  readonly entrypoint: readonly string[]
  readonly command: readonly string[]
  readonly terminal: boolean
  readonly openStdin: boolean
  readonly autoRemove: boolean
  readonly privileged: boolean
  readonly hostname: string
  /** `none`, `host`, `container:…`, `ns:…`, or the name of the first network. */
  readonly networkMode: string
  /** The networks that it is in while it runs. */
  readonly networks?: readonly NetworkAttachment[]
  /** `80/tcp`, of the image. */
  readonly exposedPorts?: readonly string[]
  readonly user: string
  /** The ids of its user namespace. */
  readonly ids?: Ids
  readonly labels: Readonly<Record<string, string>>
  /** As the user gave it; `inspect` shows it. */
  readonly request: RunRequest
  readonly volumes: readonly VolumeRecord[]
  /** Its health check, and the program that the check runs. */
  readonly health?: HealthConfig
  readonly healthCommand?: readonly string[]
  /** As `SIGTERM`. */
  readonly stopSignal: string
  readonly stateRoot: string
  /** The process that owns a container without monitor (the library); it is removed with it. */
  readonly owned: boolean
  readonly state: RecordedState
}

/** Parses container.json; undefined when it is torn. A record of a newer tsrun is refused. */
export function parseRecord(text: string, id: string): ContainerRecord | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // Written without fsync: a power cut can tear it. The caller treats the container as half made.
    return undefined
  }
  if (!isRecordOf(value, id)) return undefined
  if (value.version === 1) return value
  throw new TsrunError(
    'failed-precondition',
    `cannot read container "${id}": its record has the unknown version ${value.version}`,
    {
      hint: 'it was made by a newer tsrun',
    },
  )
}

function isRecordOf(value: unknown, id: string): value is ContainerRecord {
  return (
    typeof value === 'object' &&
    value !== null &&
    Reflect.get(value, 'id') === id &&
    typeof Reflect.get(value, 'state') === 'object'
  )
}

/** The twelve digits people see. */
export function shortId(id: string): string {
  return id.slice(0, 12)
}
