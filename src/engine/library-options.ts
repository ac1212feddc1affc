/** What a program asks for when it runs a container, and what that means for the engine. */
import type { Readable } from 'node:stream'
import { defaultDataRoot, defaultStateRoot } from './default-roots.ts'
import type { EngineOptions } from './engine.ts'
import type { RunRequest } from './run-request.ts'

export interface MountOption {
  readonly type: 'bind' | 'tmpfs'
  /** Of a bind: absolute, or relative to the working directory of this process. It must exist. */
  readonly source?: string
  readonly target: string
  readonly readOnly?: boolean
}

type SpecPart = Pick<
  RunRequest,
  | 'entrypoint'
  | 'user'
  | 'hostname'
  | 'volumes'
  | 'devices'
  | 'readOnly'
  | 'capAdd'
  | 'capDrop'
  | 'privileged'
  | 'securityOpt'
  | 'ulimits'
  | 'sysctls'
  | 'networkAliases'
  | 'publish'
  | 'memory'
  | 'cpus'
  | 'pidsLimit'
  | 'init'
  | 'annotations'
  | 'name'
  | 'pull'
  | 'platform'
>

export interface ContainerOptions extends SpecPart {
  /** Reference of an image; fetched when it is not here. Either this or {@link rootfs}. */
  readonly image?: string
  /** Absolute path of a root filesystem, used as it is. */
  readonly rootfs?: string
  /** The command and its arguments; the image's when absent. */
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Working directory in the container. */
  readonly cwd?: string
  readonly mounts?: readonly MountOption[]
  /** As `--network`: `none` (default), `host`, the name of a network, `container:NAME`, …; or several networks. */
  readonly network?: string | readonly string[]
  readonly labels?: Readonly<Record<string, string>>
  /** What the process reads: nothing, this content, this stream, or what is written to `container.stdin`. */
  readonly stdin?: 'ignore' | 'pipe' | Uint8Array | Readable | { readonly text: string }
  /** Kills the container; whoever waits gets the signal's reason. */
  readonly signal?: AbortSignal
  /** How much of stdout and of stderr a result may hold; more kills the container. 64 MiB by default. */
  readonly maxOutputBytes?: number
  /** Where images and layers are; /var/lib/tsrun by default. */
  readonly dataRoot?: string
  /** Where the state of running containers is; /run/tsrun-engine by default. */
  readonly stateRoot?: string
}

export function engineOptionsOf(options: ContainerOptions): EngineOptions {
  return {
    dataRoot: options.dataRoot ?? defaultDataRoot(),
    stateRoot: options.stateRoot ?? defaultStateRoot(),
    // Only monitors run it, and the library has none.
    command: [],
  }
}

export function requestOf(options: ContainerOptions): RunRequest {
  const { image = '', args, cwd, env = {}, labels = {}, mounts = [] } = options
  const {
    stdin: _stdin,
    signal: _signal,
    dataRoot: _data,
    stateRoot: _state,
    maxOutputBytes: _max,
    args: _args,
    cwd: _cwd,
    network: _network,
    ...rest
  } = options
  return {
    ...rest,
    ...networkOf(options),
    image,
    command: args,
    workdir: cwd,
    env: Object.entries(env).map(([name, value]) => `${name}=${value}`),
    labels: Object.entries(labels).map(([name, value]) => `${name}=${value}`),
    mounts: mounts.map(mountText),
    terminal: false,
    interactive: options.stdin !== undefined && options.stdin !== 'ignore',
    autoRemove: true,
  }
}

// Ports are published from a network.
function networkOf({
  network,
  publish = [],
}: ContainerOptions): Pick<RunRequest, 'network' | 'networks'> {
  const fallback = publish.length > 0 ? 'default' : 'none'
  const networks = typeof network === 'string' ? [network] : (network ?? [fallback])
  return { networks, network: networks.includes('host') ? 'host' : 'none' }
}

// The engine takes --mount's text: fields with commas or quotes are quoted as CSV (RFC 4180).
function mountText({ type, source, target, readOnly }: MountOption): string {
  const fields = [`type=${type}`, `target=${target}`]
  if (source !== undefined) fields.push(`source=${source}`)
  if (readOnly === true) fields.push('readonly')
  return fields
    .map((field) => (/[",\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field))
    .join(',')
}
