/** From a request and an image to the container's config.json and record. */
import type { ImageProcess } from '../oci/image.ts'
import type { Mount, RuntimeConfig } from '../oci/runtime-config.ts'
import { defaultSeccompProfile } from '../seccomp/default-profile.ts'
import { applyCdi } from '../spec/apply-cdi.ts'
import { buildSpec } from '../spec/build-spec.ts'
import { cdiDevices } from '../spec/cdi-names.ts'
import { stopSignal } from '../spec/command.ts'
import type { SpecHost } from '../spec/spec-input.ts'
import type { Ids } from '../spec/user-namespace.ts'
import { cdiEditsOf } from './cdi-devices.ts'
import type { ContainerRecord, VolumeRecord } from './container-record.ts'
import { engineMounts, reaperPath } from './engine-files.ts'
import { checkCommand, healthConfigOf } from './health-config.ts'
import { deviceStats } from './host-facts.ts'
import type { IdentityFile } from './identity-files.ts'
import type { Joined } from './joined-namespaces.ts'
import { networkOf } from './networks/wanted-network.ts'
import { readInRoot } from './read-in-root.ts'
import type { RunRequest } from './run-request.ts'
import { secretMounts } from './secrets/secret-option.ts'

/** What an image gives to its containers. */
export interface ContainerImage {
  /** As the user gave it. */
  readonly reference: string
  /** Digest of the image's configuration. */
  readonly id: string
  readonly process: ImageProcess
  /** Chain IDs of its layers, from the base up. */
  readonly chainIds: readonly string[]
}

export interface BuildInput {
  readonly id: string
  readonly directory: string
  readonly rootPath: string
  readonly image: ContainerImage | undefined
  readonly request: RunRequest
  readonly host: SpecHost
  /** Mounts that the engine has prepared. */
  readonly volumeMounts: readonly Mount[]
  /** Files of its own in place of the image's. */
  readonly identity: readonly IdentityFile[]
  /** What it shares with others. */
  readonly joined: Joined
  /** Those of its user namespace. */
  readonly ids?: Ids | undefined
}

/** The config.json of a container whose root is mounted at `rootPath`. */
export function buildContainerConfig(input: BuildInput): RuntimeConfig {
  const { id, directory, rootPath, image, request, host, volumeMounts, identity, joined, ids } =
    input
  const own = (name: string) => identity.find((file) => file.name === name)?.content.toString()
  const config = buildSpec({
    containerId: id,
    rootPath,
    image: image?.process,
    options: request,
    host,
    passwd: own('passwd') ?? readInRoot(rootPath, '/etc/passwd'),
    group: own('group') ?? readInRoot(rootPath, '/etc/group'),
    defaultSeccompProfile,
    volumeMounts,
    ...joined,
    ...(ids === undefined ? {} : { userNamespace: ids }),
    engineMounts: [
      ...engineMounts(directory, request, identity, ids !== undefined),
      ...secretMounts(directory, request.secrets ?? [], ids !== undefined),
    ],
    ...(request.init === true ? { initPath: reaperPath(directory) } : {}),
  })
  const edits = cdiEditsOf(cdiDevices(request))
  const nodes = edits.flatMap(({ deviceNodes }) => deviceNodes.map(({ hostPath }) => hostPath))
  return applyCdi(config, edits, deviceStats(nodes))
}

/** The first record of a container that is being made. */
export function newRecord(
  id: string,
  stateRoot: string,
  request: RunRequest,
  image: ContainerImage | undefined,
): Omit<ContainerRecord, 'name'> {
  const health = healthConfigOf(image?.process, request.health)
  return {
    version: 1,
    id,
    createdAt: new Date().toISOString(),
    ...(image === undefined ? {} : { image: { reference: image.reference, id: image.id } }),
    ...(request.rootfs === undefined ? {} : { rootfs: request.rootfs }),
    entrypoint: request.entrypoint ?? image?.process.Entrypoint ?? [],
    command: commandOf(request, image),
    terminal: request.terminal === true,
    openStdin: request.interactive === true,
    autoRemove: request.autoRemove === true,
    privileged: request.privileged === true,
    hostname: request.hostname ?? '',
    ...networkOf(request),
    ...exposedOf(image),
    user: request.user ?? image?.process.User ?? '',
    labels: labelsOf(request, image),
    request,
    volumes: [],
    ...(health === undefined
      ? {}
      : { health, healthCommand: checkCommand(health, image?.process) }),
    stopSignal: stopSignal(image?.process, request),
    stateRoot,
    owned: false,
    state: { status: 'creating' },
  }
}

function exposedOf(image: ContainerImage | undefined): Pick<ContainerRecord, 'exposedPorts'> {
  const ports = Object.keys(image?.process.ExposedPorts ?? {})
  return ports.length === 0 ? {} : { exposedPorts: ports }
}

/** What only the finished config tells. */
export function completeRecord(
  record: ContainerRecord,
  config: RuntimeConfig,
  directory: string,
  attached: readonly VolumeRecord[],
): ContainerRecord {
  const known = new Set(attached.map(({ destination }) => destination))
  const direct = volumesOf(config, directory).filter(({ destination }) => !known.has(destination))
  return { ...record, hostname: config.hostname ?? '', volumes: [...attached, ...direct] }
}

function commandOf(request: RunRequest, image: ContainerImage | undefined): readonly string[] {
  if (request.command !== undefined && request.command.length > 0) return request.command
  return request.entrypoint === undefined ? (image?.process.Cmd ?? []) : []
}

/** The image's labels and the user's; the engine itself reads none of them (CVE-2026-53488). */
function labelsOf(
  request: RunRequest,
  image: ContainerImage | undefined,
): Readonly<Record<string, string>> {
  const own = (request.labels ?? []).map((text) => {
    const [key = '', ...rest] = text.split('=')
    return [key, rest.join('=')] as const
  })
  return Object.fromEntries([...Object.entries(image?.process.Labels ?? {}), ...own])
}

const PROPAGATIONS = ['shared', 'rshared', 'slave', 'rslave', 'private', 'rprivate']
const OWN_TMPFS = ['/dev', '/dev/shm']

function volumesOf(config: RuntimeConfig, directory: string): VolumeRecord[] {
  return (config.mounts ?? []).flatMap(({ type, source, destination, options }): VolumeRecord[] => {
    const isBind = type === 'bind' && source !== undefined && !source.startsWith(`${directory}/`)
    const isTmpfs = type === 'tmpfs' && !OWN_TMPFS.includes(destination)
    if (!isBind && !isTmpfs) return []
    return [
      {
        type: isBind ? 'bind' : 'tmpfs',
        source: isBind ? source : '',
        destination,
        readOnly: options?.includes('ro') ?? false,
        propagation: options?.find((option) => PROPAGATIONS.includes(option)) ?? '',
        ...(isBind && options !== undefined ? { options } : {}),
      },
    ]
  })
}
