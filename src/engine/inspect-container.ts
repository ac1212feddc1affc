/** Everything about one container in the shape of docker's `inspect`; maps are Maps, as Go's templates see them. */
import { join } from 'node:path'
import { TsrunError } from '../errors.ts'
import type { RuntimeConfig } from '../oci/runtime-config.ts'
import { readTextIfThere } from '../util/if-there.ts'
import { LOG_FILE } from './container-logs.ts'
import { type ContainerRecord, shortId } from './container-record.ts'
import { type ContainerStatus, isLive, statusOf } from './container-status.ts'
import { describeLimits } from './describe-limits.ts'
import type { Engine } from './engine.ts'
import { healthcheckOf, healthOf } from './inspect-health.ts'
import { DEFAULT_LOG, type LogSettings } from './log-settings.ts'
import { EndpointReader } from './networks/endpoints.ts'
import { exposedPortsOf, networkSettingsOf, portBindingsOf } from './networks/network-settings.ts'

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
    HostConfig: hostConfigOf(record),
    Mounts: record.volumes.map(mountOf),
    Config: configOf(record, config),
    NetworkSettings: networkSettingsOf(record, endpoints, status.pid),
    OCIConfigPath: join(directory, 'config.json'),
  }
}

// A root that was given by path has no layers, and neither has a container whose layers are gone.
function graphDriverOf(engine: Engine, id: string): Record<string, unknown> {
  const snapshots = engine.snapshotter()
  if (!snapshots.activeKeys().includes(id)) return { Name: '', Data: new Map() }
  return { Name: 'overlay', Data: new Map([['UpperDir', snapshots.writableFolder(id)]]) }
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

function hostConfigOf({
  request,
  networkMode,
  autoRemove,
  privileged,
}: ContainerRecord): Record<string, unknown> {
  return {
    Binds: request.volumes ?? [],
    VolumesFrom: request.volumesFrom ?? [],
    NetworkMode: networkMode,
    PortBindings: portBindingsOf(request),
    PublishAllPorts: request.publishAll === true,
    Dns: request.dns ?? [],
    DnsOptions: request.dnsOptions ?? [],
    DnsSearch: request.dnsSearch ?? [],
    ExtraHosts: request.addHosts ?? [],
    PidMode: request.pid ?? '',
    IpcMode: request.ipc ?? 'private',
    UTSMode: request.uts ?? '',
    CgroupnsMode: request.cgroupns ?? 'private',
    CgroupParent: request.cgroupParent ?? '',
    GroupAdd: request.groups ?? [],
    ShmSize: request.shmSize ?? 64 * 1024 * 1024,
    OomScoreAdj: request.oomScoreAdj ?? 0,
    CpuShares: request.cpuShares ?? 0,
    CpuQuota: request.cpuQuota ?? 0,
    CpuPeriod: request.cpuPeriod ?? 0,
    CpusetCpus: request.cpusetCpus ?? '',
    CpusetMems: request.cpusetMems ?? '',
    MemoryReservation: request.memoryReservation ?? 0,
    MemorySwap: request.memorySwap ?? 0,
    BlkioWeight: request.blkioWeight ?? 0,
    DeviceCgroupRules: request.deviceCgroupRules ?? [],
    RestartPolicy: {
      Name: request.restart?.name ?? 'no',
      MaximumRetryCount: request.restart?.maximumRetryCount ?? 0,
    },
    LogConfig: logConfigOf(request.log ?? DEFAULT_LOG),
    AutoRemove: autoRemove,
    Runtime: 'tsrun',
    CapAdd: request.capAdd ?? [],
    CapDrop: request.capDrop ?? [],
    Privileged: privileged,
    ReadonlyRootfs: request.readOnly === true,
    SecurityOpt: request.securityOpt ?? [],
    Tmpfs: pairs(request.tmpfs ?? [], ':'),
    Devices: request.devices ?? [],
    Memory: request.memory ?? 0,
    NanoCpus: Math.round((request.cpus ?? 0) * 1e9),
    PidsLimit: request.pidsLimit ?? 0,
    Ulimits: request.ulimits ?? [],
    Sysctls: pairs(request.sysctls ?? [], '='),
    Init: request.init === true,
    Annotations: pairs(request.annotations ?? [], '='),
  }
}

function logConfigOf({ driver, maxSize, maxFiles }: LogSettings): Record<string, unknown> {
  const options: [string, string][] = []
  if (maxSize > 0) options.push(['max-size', String(maxSize)], ['max-file', String(maxFiles)])
  return { Type: driver, Config: new Map(options) }
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
    Labels: new Map(Object.entries(record.labels)),
    ExposedPorts: exposedPortsOf(record),
    StopSignal: record.stopSignal,
    ...(record.health === undefined ? {} : { Healthcheck: healthcheckOf(record.health) }),
    ...(record.request.timeout === undefined ? {} : { Timeout: record.request.timeout }),
  }
}

function mountOf(volume: ContainerRecord['volumes'][number]): Record<string, unknown> {
  return {
    Type: volume.type,
    ...(volume.name === undefined ? {} : { Name: volume.name }),
    Source: volume.source,
    Destination: volume.destination,
    ...(volume.name === undefined ? {} : { Driver: 'local' }),
    Mode: volume.mode ?? (volume.readOnly ? 'ro' : ''),
    RW: !volume.readOnly,
    Propagation: volume.propagation,
  }
}

function pairs(texts: readonly string[], separator: string): Map<string, string> {
  return new Map(
    texts.map((text) => {
      const [key = '', ...rest] = text.split(separator)
      return [key, rest.join(separator)]
    }),
  )
}

// A container that is half made has no config.json yet.
function readConfig(directory: string): RuntimeConfig | undefined {
  const text = readTextIfThere(join(directory, 'config.json'))
  return text === undefined ? undefined : (JSON.parse(text) as RuntimeConfig)
}
