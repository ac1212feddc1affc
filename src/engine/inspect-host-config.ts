/** `HostConfig` of `inspect`, in docker's shape: what was asked for, and null where docker says null for nothing. */
import type { RuntimeConfig } from '../oci/runtime-config.ts'
import { cdiDevices, hostDevices } from '../spec/cdi-names.ts'
import { parseDevice } from '../spec/devices.ts'
import { parseMountOption } from '../spec/mount-option.ts'
import { parseUlimits, UNLIMITED } from '../spec/ulimits.ts'
import { parseSize } from '../util/size.ts'
import type { ContainerRecord } from './container-record.ts'
import { DEFAULT_LOG, type LogSettings } from './log-settings.ts'
import { portBindingsOf } from './networks/network-settings.ts'
import type { RunRequest } from './run-request.ts'

type Json = Record<string, unknown>

const DEFAULT_SHM_SIZE = 64 * 1024 * 1024

/** The fields in docker's order of subjects; `config` is the config.json, which a half made container has not. */
export function hostConfigOf(record: ContainerRecord, config: RuntimeConfig | undefined): Json {
  const { request } = record
  return {
    ...storageOf(request),
    ...networkOf(record),
    ...namespacesOf(request),
    ...lifeOf(record),
    ...securityOf(record, config),
    ...limitsOf(request),
    ...devicesOf(request),
    ...WINDOWS_ONLY,
    ...ifAny('Sysctls', pairs(request.sysctls ?? [], '=')),
    ...(request.init === true ? { Init: true } : {}),
    ...ifAny('Annotations', pairs(request.annotations ?? [], '=')),
  }
}

function storageOf(request: RunRequest): Json {
  const mounts = (request.mounts ?? []).map((text) => parseMountOption(text, '/'))
  return {
    // A place alone gets a volume without a name, which is no bind for docker.
    Binds: listOrNull(request.volumes?.filter((text) => text.includes(':'))),
    ...(mounts.length === 0
      ? {}
      : {
          Mounts: mounts.map(({ type, source = '', destination, readOnly }) => ({
            Type: type,
            ...(source === '' ? {} : { Source: source }),
            Target: destination,
            ...(readOnly ? { ReadOnly: true } : {}),
          })),
        }),
    ...ifAny('Tmpfs', pairs(request.tmpfs ?? [], ':')),
    VolumeDriver: '',
    VolumesFrom: listOrNull(request.volumesFrom),
    ShmSize: request.shmSize ?? DEFAULT_SHM_SIZE,
  }
}

function networkOf({ request, networkMode }: ContainerRecord): Json {
  return {
    NetworkMode: networkMode,
    PortBindings: portBindingsOf(request),
    PublishAllPorts: request.publishAll === true,
    Dns: request.dns ?? [],
    DnsOptions: request.dnsOptions ?? [],
    DnsSearch: request.dnsSearch ?? [],
    ExtraHosts: listOrNull(request.addHosts),
    Links: null,
  }
}

function namespacesOf(request: RunRequest): Json {
  const isMapped = (request.uidMaps ?? request.gidMaps ?? []).length > 0
  return {
    Cgroup: '',
    CgroupParent: request.cgroupParent ?? '',
    CgroupnsMode: request.cgroupns ?? 'private',
    IpcMode: request.ipc ?? 'private',
    PidMode: request.pid ?? '',
    UTSMode: request.uts ?? '',
    UsernsMode: request.userns ?? (isMapped || request.subuidName !== undefined ? 'private' : ''),
  }
}

function lifeOf({ request, autoRemove }: ContainerRecord): Json {
  const { height = 0, width = 0 } = request.consoleSize ?? {}
  return {
    ContainerIDFile: '',
    AutoRemove: autoRemove,
    ConsoleSize: [height, width],
    LogConfig: logConfigOf(request.log ?? DEFAULT_LOG),
    RestartPolicy: {
      Name: request.restart?.name ?? 'no',
      MaximumRetryCount: request.restart?.maximumRetryCount ?? 0,
    },
    Runtime: 'tsrun',
    Isolation: '',
  }
}

function securityOf({ request, privileged }: ContainerRecord, config: RuntimeConfig | undefined) {
  return {
    CapAdd: listOrNull(request.capAdd),
    CapDrop: listOrNull(request.capDrop),
    GroupAdd: listOrNull(request.groups),
    Privileged: privileged,
    ReadonlyRootfs: request.readOnly === true,
    SecurityOpt: listOrNull(request.securityOpt),
    MaskedPaths: config?.linux?.maskedPaths ?? null,
    ReadonlyPaths: config?.linux?.readonlyPaths ?? null,
    OomScoreAdj: request.oomScoreAdj ?? 0,
  }
}

function limitsOf(request: RunRequest): Json {
  return {
    Memory: request.memory ?? 0,
    MemoryReservation: request.memoryReservation ?? 0,
    MemorySwap: request.memorySwap ?? 0,
    MemorySwappiness: null,
    KernelMemory: 0,
    KernelMemoryTCP: 0,
    OomKillDisable: false,
    NanoCpus: Math.round((request.cpus ?? 0) * 1e9),
    CpuShares: request.cpuShares ?? 0,
    CpuPeriod: request.cpuPeriod ?? 0,
    CpuQuota: request.cpuQuota ?? 0,
    CpuRealtimePeriod: 0,
    CpuRealtimeRuntime: 0,
    CpusetCpus: request.cpusetCpus ?? '',
    CpusetMems: request.cpusetMems ?? '',
    PidsLimit: request.pidsLimit ?? null,
    Ulimits: listOrNull(parseUlimits(request.ulimits ?? []).map(ulimitOf)),
    BlkioWeight: request.blkioWeight ?? 0,
    BlkioWeightDevice: (request.blkioWeightDevice ?? []).map((text) => rateOf(text, 'Weight')),
    BlkioDeviceReadBps: ratesOf(request.deviceReadBps),
    BlkioDeviceWriteBps: ratesOf(request.deviceWriteBps),
    BlkioDeviceReadIOps: ratesOf(request.deviceReadIops),
    BlkioDeviceWriteIOps: ratesOf(request.deviceWriteIops),
  }
}

function devicesOf(request: RunRequest): Json {
  const named = cdiDevices(request)
  return {
    Devices: hostDevices(request).map((text) => {
      const { source, destination, access } = parseDevice(text)
      return { PathOnHost: source, PathInContainer: destination, CgroupPermissions: access }
    }),
    DeviceCgroupRules: listOrNull(request.deviceCgroupRules),
    DeviceRequests:
      named.length === 0
        ? null
        : [{ Driver: 'cdi', Count: 0, DeviceIDs: named, Capabilities: [], Options: new Map() }],
  }
}

const WINDOWS_ONLY: Json = {
  CpuCount: 0,
  CpuPercent: 0,
  IOMaximumIOps: 0,
  IOMaximumBandwidth: 0,
}

function logConfigOf({ driver, maxSize, maxFiles }: LogSettings): Json {
  const options: [string, string][] = []
  if (maxSize > 0) options.push(['max-size', String(maxSize)], ['max-file', String(maxFiles)])
  return { Type: driver, Config: new Map(options) }
}

function ulimitOf({ type, hard, soft }: ReturnType<typeof parseUlimits>[number]): Json {
  const shown = (limit: number) => (limit === UNLIMITED ? -1 : limit)
  const name = type.replace(/^RLIMIT_/, '').toLowerCase()
  return { Name: name, Hard: shown(hard), Soft: shown(soft) }
}

function ratesOf(texts: readonly string[] | undefined): readonly Json[] | null {
  return listOrNull((texts ?? []).map((text) => rateOf(text, 'Rate')))
}

// Its number stands behind the last colon: a path may have some, too.
function rateOf(text: string, field: 'Rate' | 'Weight'): Json {
  const colon = text.lastIndexOf(':')
  return { Path: text.slice(0, colon), [field]: parseSize(text.slice(colon + 1)) }
}

function listOrNull<Item>(list: readonly Item[] | undefined): readonly Item[] | null {
  return list === undefined || list.length === 0 ? null : list
}

/** docker leaves such a field out when there is nothing in it. */
export function ifAny(name: string, map: ReadonlyMap<string, unknown>): Json {
  return map.size === 0 ? {} : { [name]: map }
}

function pairs(texts: readonly string[], separator: string): ReadonlyMap<string, string> {
  return new Map(
    texts.map((text) => {
      const [key = '', ...rest] = text.split(separator)
      return [key, rest.join(separator)]
    }),
  )
}
