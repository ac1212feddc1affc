/** A mount that the user asks for by -v, --mount or --tmpfs, and what of it is a mount of config.json as it stands. */
import { posix } from 'node:path'
import type { Mount } from '../oci/runtime-config.ts'
import { refuseOption } from './invalid-option.ts'

export interface UserMount {
  readonly type: 'bind' | 'tmpfs' | 'volume' | 'image' | 'ramfs' | 'devpts'
  /** Absolute, without `..` and without a slash at the end. */
  readonly destination: string
  /** Of a bind its absolute path, of a volume its name (absent: an anonymous one), of an image its reference. */
  readonly source?: string
  /** As in config.json. */
  readonly options: readonly string[]
  readonly readOnly: boolean
  /** What stood after the second colon of -v. */
  readonly mode: string
  /** -v makes a missing source directory, --mount refuses it. */
  readonly createSource: boolean
  /** A folder or file of the volume or image instead of its root. */
  readonly subpath?: string
  /** An empty volume gets what the image has at the destination. */
  readonly copyUp: boolean
  /** Its files are to belong to the container's user (podman's `U`). */
  readonly chown: boolean
  /** What is written is lost with the container, and the source stays as it is (podman's `O`). */
  readonly overlay: boolean
  /** How a volume that is not there yet is made. */
  readonly settings: VolumeSettings
}

/** What `volume create` takes beside a name. */
export interface VolumeSettings {
  readonly driver: string
  readonly driverOptions: Readonly<Record<string, string>>
  readonly labels: Readonly<Record<string, string>>
}

export const DEFAULT_VOLUME: VolumeSettings = { driver: 'local', driverOptions: {}, labels: {} }

/** The defaults of all that a kind of mount does not have. */
export const PLAIN_MOUNT = {
  readOnly: false,
  mode: '',
  createSource: false,
  copyUp: true,
  chown: false,
  overlay: false,
  settings: DEFAULT_VOLUME,
} as const satisfies Partial<UserMount>

/** The mount of config.json; undefined for one that the engine must prepare something for. */
export function directMount(mount: UserMount): Mount | undefined {
  const { type, destination, source, options, chown, overlay } = mount
  if (type === 'volume' || type === 'image' || chown || overlay) return undefined
  return { destination, type, source: source ?? type, options }
}

/** The place in the container; throws naming the option for one that is not absolute, or `/`. */
export function cleanDestination(option: string, text: string, destination: string): string {
  if (!destination.startsWith('/'))
    refuseOption(option, text, 'the path in the container must be absolute')
  const clean = posix.normalize(destination).replace(/\/+$/, '')
  if (clean === '') refuseOption(option, text, 'the path in the container must not be /')
  return clean
}

/** docker's names of volumes, one letter more generous, as podman is. */
export function isVolumeName(text: string): boolean {
  return /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}$/.test(text)
}
