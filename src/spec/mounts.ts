/** The mounts of a container: docker's defaults, then the engine's files, then the user's, parents first. */
import { TsrunError } from '../errors.ts'
import type { Mount } from '../oci/runtime-config.ts'
import { INIT_DESTINATION, mergeArguments } from './command.ts'
import { parseMountOption } from './mount-option.ts'
import { namespaceMode } from './namespaces.ts'
import type { SecurityOptions } from './security-options.ts'
import type { SpecHost, SpecInput, SpecOptions } from './spec-input.ts'
import { isForSystemd, systemdMounts } from './systemd-container.ts'
import { parseTmpfs } from './tmpfs-options.ts'
import { directMount, type UserMount } from './user-mount.ts'
import { parseVolume } from './volume-option.ts'

const DEFAULT_SHM_SIZE = 64 * 1024 * 1024
const QUIET = ['nosuid', 'noexec', 'nodev']

/** Everything that is mounted, in the order to mount it. */
export function buildMounts(input: SpecInput, security: SecurityOptions): readonly Mount[] {
  const direct = userMounts(input).flatMap((mount) => directMount(mount) ?? [])
  const user = [...direct, ...(input.volumeMounts ?? []), ...(shmMount(input) ?? [])]
  refuseDuplicates(user)
  if (input.userNamespace === undefined) refuseOwnIds(user)
  const taken = new Set(user.map(({ destination }) => destination))
  const kept = [...defaultMounts(input, security), ...(input.engineMounts ?? [])].filter(
    ({ destination }) =>
      !taken.has(destination) && !(taken.has('/dev') && destination.startsWith('/dev/')),
  )
  const own = kept.filter(({ destination }) => !hasNoShm(input) || destination !== '/dev/shm')
  return sortByDepth([...own, ...writableMounts(input, taken), ...user, ...initMount(input)])
}

interface MountQuestion {
  readonly options: SpecOptions
  readonly host: Pick<SpecHost, 'workingDirectory'>
}

/** The mounts that -v, --mount and --tmpfs ask for. */
export function userMounts({ options, host }: MountQuestion): readonly UserMount[] {
  return [
    ...(options.volumes ?? []).map((text) => parseVolume(text, host.workingDirectory)),
    ...(options.mounts ?? []).map((text) => parseMountOption(text, host.workingDirectory)),
    ...(options.tmpfs ?? []).map(parseTmpfs),
  ]
}

/** `linux.rootfsPropagation`: a shared or slave bind needs a root that lets events through, as in docker. */
export function rootPropagation(mounts: readonly Mount[]): string | undefined {
  const options = mounts.flatMap((mount) => (mount.type === 'bind' ? (mount.options ?? []) : []))
  if (options.some((option) => option === 'shared' || option === 'rshared')) return 'shared'
  return options.some((option) => option === 'slave' || option === 'rslave') ? 'slave' : undefined
}

function defaultMounts(input: SpecInput, security: SecurityOptions): readonly Mount[] {
  const { options } = input
  const privileged = options.privileged === true
  return [
    {
      destination: '/proc',
      type: 'proc',
      source: 'proc',
      options: [...QUIET, ...security.procOptions],
    },
    {
      destination: '/dev',
      type: 'tmpfs',
      source: 'tmpfs',
      options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
    },
    devptsMount(input),
    sysMount(input, privileged),
    {
      destination: '/sys/fs/cgroup',
      type: 'cgroup',
      source: 'cgroup',
      options: [privileged || security.writableCgroups || isSystemd(input) ? 'rw' : 'ro', ...QUIET],
    },
    { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: QUIET },
    {
      destination: '/dev/shm',
      type: 'tmpfs',
      source: 'shm',
      options: [...QUIET, 'mode=1777', `size=${options.shmSize ?? DEFAULT_SHM_SIZE}`],
    },
  ]
}

function isSystemd({ image, options }: SpecInput): boolean {
  return (
    (options.systemd ?? 'false') !== 'false' &&
    isForSystemd(options, mergeArguments(image, options))
  )
}

function hasNoShm({ options }: SpecInput): boolean {
  return namespaceMode(options, 'ipc').kind === 'none'
}

/** The memory that goes with somebody else's IPC namespace, unless the user mounts there. */
function shmMount({ shmSource, options, host }: SpecInput): readonly Mount[] | undefined {
  const isTaken = userMounts({ options, host }).some((mount) => mount.destination === '/dev/shm')
  if (shmSource === undefined || isTaken) return undefined
  return [
    {
      destination: '/dev/shm',
      type: 'bind',
      source: shmSource,
      options: ['rbind', 'rprivate', ...QUIET],
    },
  ]
}

/** Places that can be written beside what the user mounts: for systemd, and under a root that cannot. */
function writableMounts(input: SpecInput, taken: ReadonlySet<string>): readonly Mount[] {
  const { readOnly, readOnlyTmpfs } = input.options
  const temporary = readOnly === true && readOnlyTmpfs === true ? TEMPORARY : []
  const mounts = new Map(temporary.map((path) => [path, temporaryMount(path)]))
  if (isSystemd(input)) for (const mount of systemdMounts()) mounts.set(mount.destination, mount)
  return [...mounts.values()].filter(({ destination }) => !taken.has(destination))
}

/** podman's places. */
const TEMPORARY = ['/run', '/tmp', '/var/tmp']

function temporaryMount(destination: string): Mount {
  const mode = destination === '/run' ? 'mode=755' : 'mode=1777'
  const options = ['nosuid', 'nodev', mode, 'tmpcopyup']
  return { destination, type: 'tmpfs', source: 'tmpfs', options }
}

function devptsMount({ userNamespace, host }: SpecInput): Mount {
  const gidMappings = (userNamespace ?? host.ownNamespace)?.gidMappings
  const options = ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620']
  // Group 5 is tty; the mount fails where it has no id outside.
  const mapped =
    gidMappings === undefined ||
    gidMappings.some(({ containerID, size }) => containerID <= 5 && containerID + size > 5)
  return {
    destination: '/dev/pts',
    type: 'devpts',
    source: 'devpts',
    options: mapped ? [...options, 'gid=5'] : options,
  }
}

function sysMount({ options, userNamespace, host }: SpecInput, privileged: boolean): Mount {
  // A new sysfs belongs to the network namespace's owner: with the host's network a user namespace may not mount one.
  if (options.network === 'host' && (userNamespace ?? host.ownNamespace) !== undefined) {
    return {
      destination: '/sys',
      type: 'bind',
      source: '/sys',
      options: ['rbind', 'rprivate', ...QUIET, 'ro'],
    }
  }
  return {
    destination: '/sys',
    type: 'sysfs',
    source: 'sysfs',
    options: [...QUIET, privileged ? 'rw' : 'ro'],
  }
}

function initMount({ options, initPath }: SpecInput): readonly Mount[] {
  if (options.init !== true) return []
  if (initPath === undefined) {
    throw new TsrunError('internal', 'cannot use --init: the path of the init program is not known')
  }
  return [
    {
      destination: INIT_DESTINATION,
      type: 'bind',
      source: initPath,
      options: ['bind', 'rprivate', 'ro', 'nosuid', 'nodev'],
    },
  ]
}

function refuseDuplicates(mounts: readonly Mount[]): void {
  const seen = new Set<string>()
  for (const { destination } of mounts) {
    if (seen.has(destination)) {
      throw new TsrunError(
        'invalid-argument',
        `cannot mount "${destination}": two options mount there`,
      )
    }
    seen.add(destination)
  }
}

function refuseOwnIds(mounts: readonly Mount[]): void {
  for (const { destination, options = [] } of mounts) {
    const option = options.find((text) => text === 'idmap' || text === 'ridmap')
    if (option === undefined) continue
    throw new TsrunError(
      'invalid-argument',
      `cannot use ${option} for the mount on "${destination}": the container has no user namespace whose ids it could take`,
      { hint: 'add --userns auto, or write idmap=uids=…;gids=…' },
    )
  }
}

/** A mount must not hide one below it; equal depths keep their order. */
function sortByDepth(mounts: readonly Mount[]): readonly Mount[] {
  const depth = (mount: Mount): number => mount.destination.split('/').length
  return mounts.toSorted((a, b) => depth(a) - depth(b))
}
