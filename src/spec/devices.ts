/** --device and --privileged as device nodes and device cgroup rules. */
import { posix } from 'node:path'
import type { Device, DeviceRule } from '../oci/runtime-config.ts'
import { refuseNul, refuseOption } from './invalid-option.ts'
import type { DeviceStat } from './spec-input.ts'

export interface DeviceOption {
  readonly source: string
  readonly destination: string
  /** Some of r, w and m. */
  readonly access: string
}

export interface DeviceChoice {
  readonly devices: readonly Device[]
  readonly rules: readonly DeviceRule[]
}

/**
 * What every container may use, as docker and runc have it: making nodes of any device (not opening
 * them), the nodes that the runtime always creates (config-linux.md "Default Devices") and its terminals.
 */
const DEFAULT_RULES: readonly DeviceRule[] = [
  { allow: false, access: 'rwm' },
  { allow: true, type: 'c', access: 'm' },
  { allow: true, type: 'b', access: 'm' },
  { allow: true, type: 'c', major: 1, minor: 3, access: 'rwm' }, // null
  { allow: true, type: 'c', major: 1, minor: 5, access: 'rwm' }, // zero
  { allow: true, type: 'c', major: 1, minor: 7, access: 'rwm' }, // full
  { allow: true, type: 'c', major: 1, minor: 8, access: 'rwm' }, // random
  { allow: true, type: 'c', major: 1, minor: 9, access: 'rwm' }, // urandom
  { allow: true, type: 'c', major: 5, minor: 0, access: 'rwm' }, // tty
  { allow: true, type: 'c', major: 5, minor: 2, access: 'rwm' }, // ptmx
  { allow: true, type: 'c', major: 136, access: 'rwm' }, // pts
]

/** Nodes that the runtime makes itself: host copies of them would collide. */
const RUNTIME_NODES: ReadonlySet<string> = new Set(
  'null zero full random urandom tty console ptmx'.split(' ').map((name) => `/dev/${name}`),
)

/** `path[:path][:rwm]`. */
export function parseDevice(text: string): DeviceOption {
  refuseNul('device', text)
  const [source = '', second, third, ...rest] = text.split(':')
  if (rest.length > 0 || source === '')
    refuseOption('device', text, 'it must be path, path:path or path:path:rwm')
  const access = isAccess(second) && third === undefined ? second : third
  const destination =
    second === undefined || second === '' || (isAccess(second) && third === undefined)
      ? source
      : second
  if (access !== undefined && !isAccess(access))
    refuseOption('device', text, `${JSON.stringify(access)} must be made of r, w and m`)
  if (!source.startsWith('/') || !destination.startsWith('/'))
    refuseOption('device', text, 'its paths must be absolute')
  return {
    source: posix.normalize(source),
    destination: posix.normalize(destination),
    access: access ?? 'rwm',
  }
}

/** Nodes and rules for the options; `stats` are the host's nodes that they name or lie below. */
export function chooseDevices(
  options: readonly string[],
  stats: readonly DeviceStat[],
  privileged: boolean,
): DeviceChoice {
  const asked = options.map((text) => ({ text, option: parseDevice(text) }))
  const chosen = asked.flatMap(({ text, option }) => matching(option, stats, text))
  const all = privileged
    ? stats
        .filter(({ path }) => !RUNTIME_NODES.has(path) && !path.startsWith('/dev/pts/'))
        .map((stat) => ({ stat, destination: stat.path, access: 'rwm' }))
    : []
  const byDestination = new Map([...all, ...chosen].map((choice) => [choice.destination, choice]))
  const choices = [...byDestination.values()]
  return {
    devices: choices.map(({ stat, destination }) => ({
      path: destination,
      type: stat.type,
      major: stat.major,
      minor: stat.minor,
      fileMode: stat.mode & 0o7777,
      uid: stat.uid,
      gid: stat.gid,
    })),
    rules: privileged
      ? [{ allow: true, access: 'rwm' }]
      : [
          ...DEFAULT_RULES,
          ...choices.map(({ stat, access }) => ({
            allow: true,
            type: stat.type,
            major: stat.major,
            minor: stat.minor,
            access,
          })),
        ],
  }
}

interface ChosenDevice {
  readonly stat: DeviceStat
  readonly destination: string
  readonly access: string
}

/** The node itself, or every node below when the option names a directory such as /dev/dri. */
function matching(
  option: DeviceOption,
  stats: readonly DeviceStat[],
  text: string,
): readonly ChosenDevice[] {
  const found = stats.filter(
    ({ path }) => path === option.source || path.startsWith(`${option.source}/`),
  )
  if (found.length === 0)
    refuseOption('device', text, `there is no device ${JSON.stringify(option.source)} on the host`)
  return found.map((stat) => ({
    stat,
    destination: `${option.destination}${stat.path.slice(option.source.length)}`,
    access: option.access,
  }))
}

function isAccess(text: string | undefined): text is string {
  return text !== undefined && /^[rwm]{1,3}$/.test(text)
}
