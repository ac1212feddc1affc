/** Everything about one container in the shape of docker's `inspect`; maps are Maps, as Go's templates see them. */
import { dirname, join } from 'node:path'
import { TsrunError } from '../errors.ts'
import type { RuntimeConfig } from '../oci/runtime-config.ts'
import { parseTmpfs } from '../spec/tmpfs-options.ts'
import { parseVolume } from '../spec/volume-option.ts'
import { readTextIfThere } from '../util/if-there.ts'
import { LOG_FILE } from './container-logs.ts'
import { type ContainerRecord, shortId } from './container-record.ts'
import { type ContainerStatus, isLive, statusOf } from './container-status.ts'
import { describeLimits } from './describe-limits.ts'
import type { Engine } from './engine.ts'
import { healthcheckOf, healthOf } from './inspect-health.ts'
import { hostConfigOf, ifAny } from './inspect-host-config.ts'
import { EndpointReader } from './networks/endpoints.ts'
import { exposedPortsOf, networkSettingsOf } from './networks/network-settings.ts'
import { rootPath } from './root-filesystem.ts'

const NEVER = '0001-01-01T00:00:00Z'

/** The container `id` as docker's API shows it. */
export function inspectContainer(engine: Engine, id: string): Record<string, unknown> {
  const record = engine.containers.read(id)
  if (record === undefined) throw new TsrunError('not-found', `no such container: ${shortId(id)}`)
  const directory = engine.containers.directory(id)
  const status = statusOf(record, directory)
  const config = readConfig(directory)
  const endpoints = new EndpointReader(engine.dataRoot).of(record, isLive(status))
  const [path = '', ...args] = [...record.entrypoint, ...record.command]
  return {
    Id: id,
    Created: record.createdAt,
    Path: path,
    Args: args,
    State: stateOf(record, status, directory),
    Image: record.image?.id ?? '',
    ResolvConfPath: join(directory, 'resolv.conf'),
    HostnamePath: join(directory, 'hostname'),
    HostsPath: join(directory, 'hosts'),
    LogPath: join(directory, LOG_FILE),
    Name: `/${record.name}`,
    RestartCount: record.state.restartCount ?? 0,
    Driver: record.rootfs === undefined ? 'overlay' : '',
    Platform: 'linux',
    MountLabel: config?.linux?.mountLabel ?? '',
    ProcessLabel: config?.process?.selinuxLabel ?? '',
    AppArmorProfile: config?.process?.apparmorProfile ?? '',
    ExecIDs: null,
    GraphDriver: graphDriverOf(engine, id),
    HostConfig: hostConfigOf(record, config),
    Mounts: mountsOf(record),
    Config: configOf(record, config),
    NetworkSettings: networkSettingsOf(record, endpoints, status.pid),
    OCIConfigPath: join(directory, 'config.json'),
  }
}

// A root that was given by path has no layers, and neither has a container whose layers are gone.
function graphDriverOf(engine: Engine, id: string): Record<string, unknown> {
  const snapshots = engine.snapshotter()
  if (!snapshots.activeKeys().includes(id)) return { Name: '', Data: new Map() }
  const upper = snapshots.writableFolder(id)
  const data = {
    LowerDir: foldersBelow(engine, id).join(':'),
    MergedDir: rootPath(engine, id),
    UpperDir: upper,
    WorkDir: join(dirname(upper), 'work'),
  }
  return { Name: 'overlay', Data: new Map(Object.entries(data)) }
}

function foldersBelow(engine: Engine, id: string): readonly string[] {
  try {
    return engine.snapshotter().foldersBelow(id)
  } catch (error) {
    // A layer is missing: system check says which, and the rest is still to be seen.
    if (error instanceof TsrunError && error.kind === 'not-found') return []
    throw error
  }
}

function stateOf(
  record: ContainerRecord,
  status: ContainerStatus,
  directory: string,
): Record<string, unknown> {
  return {
    Status: status.status === 'creating' ? 'created' : status.status,
    Running: isLive(status),
    Paused: status.status === 'paused',
    Restarting: status.status === 'restarting',
    OOMKilled: status.oomKilled,
    Dead: false,
    Pid: status.pid,
    ExitCode: status.exitCode,
    Error: status.error === '' ? describeLimits(status.limitsReached) : status.error,
    LimitsReached: status.limitsReached,
    StartedAt: status.startedAt ?? NEVER,
    FinishedAt: status.finishedAt ?? NEVER,
    ...(record.health === undefined ? {} : { Health: healthOf(directory) }),
  }
}

function configOf(
  record: ContainerRecord,
  config: RuntimeConfig | undefined,
): Record<string, unknown> {
  return {
    Hostname: record.hostname,
    Domainname: config?.domainname ?? '',
    User: record.user,
    AttachStdin: false,
    AttachStdout: false,
    AttachStderr: false,
    Tty: record.terminal,
    OpenStdin: record.openStdin,
    StdinOnce: record.openStdin,
    Env: config?.process?.env ?? [],
    Cmd: record.command,
    Image: record.image?.reference ?? '',
    WorkingDir: config?.process?.cwd ?? '/',
    Entrypoint: record.entrypoint.length === 0 ? null : record.entrypoint,
    OnBuild: null,
    Labels: new Map(Object.entries(record.labels)),
    Volumes: ownVolumesOf(record),
    ...ifAny('ExposedPorts', exposedPortsOf(record)),
    StopSignal: record.stopSignal,
    ...(record.request.stopTimeout === undefined
      ? {}
      : { StopTimeout: record.request.stopTimeout }),
    ...(record.health === undefined ? {} : { Healthcheck: healthcheckOf(record.health) }),
    ...(record.request.timeout === undefined ? {} : { Timeout: record.request.timeout }),
  }
}

// docker's word for places that get a volume without a name.
function ownVolumesOf({ volumes }: ContainerRecord): ReadonlyMap<string, unknown> | null {
  const places = volumes.filter(({ anonymous }) => anonymous === true)
  return places.length === 0
    ? null
    : new Map(places.map(({ destination }) => [destination, new Map()]))
}

// Without those of --tmpfs, which HostConfig has.
function mountsOf({ volumes, request }: ContainerRecord): readonly Record<string, unknown>[] {
  const temporary = new Set((request.tmpfs ?? []).map((text) => parseTmpfs(text).destination))
  const modes = new Map(
    (request.volumes ?? []).map((text) => {
      const { destination, mode } = parseVolume(text, '/')
      return [destination, mode]
    }),
  )
  return volumes
    .filter(({ type, destination }) => type !== 'tmpfs' || !temporary.has(destination))
    .map((volume) => mountOf(volume, modes.get(volume.destination) ?? ''))
}

function mountOf(
  volume: ContainerRecord['volumes'][number],
  mode: string,
): Record<string, unknown> {
  return {
    Type: volume.type,
    ...(volume.name === undefined ? {} : { Name: volume.name }),
    Source: volume.source,
    Destination: volume.destination,
    ...(volume.name === undefined ? {} : { Driver: 'local' }),
    Mode: volume.mode ?? mode,
    RW: !volume.readOnly,
    Propagation: volume.propagation,
  }
}

// A container that is half made has no config.json yet.
function readConfig(directory: string): RuntimeConfig | undefined {
  const text = readTextIfThere(join(directory, 'config.json'))
  return text === undefined ? undefined : (JSON.parse(text) as RuntimeConfig)
}
