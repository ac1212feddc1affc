/** Runs a shell script in a container with mounts of its own: the black-box cases of mount tests. */
import type { Mount, RuntimeConfig } from '../../src/oci/runtime-config.ts'
import type { CommandResult, RunOptions, Runtime } from './runtime.ts'
import { type Bundle, withProcess } from './runtime-bundle.ts'
import { uniqueId } from './unique-id.ts'

export interface Probe {
  readonly mounts?: readonly Mount[]
  /** Added to what the process may do. */
  readonly capabilities?: readonly string[]
  readonly change?: (config: RuntimeConfig) => RuntimeConfig
  readonly options?: RunOptions
}

// The cgroup is named after it: other checkouts may run their tests beside this one.
const ID = uniqueId('probe')

/** Runs `script` in a container of `bundle`, whose root filesystem is writable. */
export function probe(
  runtime: Runtime,
  bundle: Bundle,
  script: string,
  { mounts = [], capabilities = [], change = (config) => config, options = {} }: Probe = {},
): CommandResult {
  bundle.configure((config) =>
    change({
      ...withProcess(config, {
        args: ['sh', '-c', script],
        capabilities: addCapabilities(config, capabilities),
      }),
      root: { path: 'rootfs' },
      mounts: [...(config.mounts ?? []), ...mounts],
    }),
  )
  return runtime.run(['run', '--bundle', bundle.directory, ID], options)
}

function addCapabilities(config: RuntimeConfig, added: readonly string[]) {
  const { bounding = [], permitted = [], effective = [] } = config.process?.capabilities ?? {}
  const all = (names: readonly string[]): readonly string[] => [...names, ...added]
  return { bounding: all(bounding), permitted: all(permitted), effective: all(effective) }
}

const MAPPING = [{ containerID: 0, hostID: 100000, size: 65536 }]

/** `config` in a user namespace whose ids are 100000 higher on the host. */
export function inUserNamespace(config: RuntimeConfig): RuntimeConfig {
  return {
    ...config,
    linux: {
      ...config.linux,
      namespaces: [...(config.linux?.namespaces ?? []), { type: 'user' }],
      uidMappings: MAPPING,
      gidMappings: MAPPING,
    },
  }
}

/** A bind mount of `source`. */
export function bind(source: string, destination: string, ...options: readonly string[]): Mount {
  return { destination, type: 'bind', source, options: ['bind', ...options] }
}

/** A tmpfs. */
export function tmpfs(destination: string, ...options: readonly string[]): Mount {
  return { destination, type: 'tmpfs', source: 'tmpfs', options }
}
