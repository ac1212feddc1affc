/** Brings a valid config.json to the one form the compiler reads, and says what it had to change or ignore. */
import { isCapabilityName } from '../linux/capabilities.ts'
import type {
  Capabilities,
  Linux,
  Mount,
  Namespace,
  Process,
  Resources,
  RuntimeConfig,
  User,
} from './runtime-config.ts'

/**
 * Removes object fields that are null, in place: Go's encoder writes null for a nil pointer, slice or
 * map where it means absent. Only for a document that was just parsed and belongs to the caller.
 */
export function removeNulls(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) {
    for (const item of value) removeNulls(item)
    return value
  }
  for (const [key, field] of Object.entries(value)) {
    if (field === null) Reflect.deleteProperty(value, key)
    else removeNulls(field)
  }
  return value
}

/**
 * Mount destinations absolute (config.md asks for it, engines write relative ones and runc takes
 * them from `/`), empty namespace paths absent, a user always with uid and gid, limits as the newest
 * specification writes them.
 */
export function normalizeRuntimeConfig(config: RuntimeConfig): RuntimeConfig {
  return {
    ...config,
    ...(config.process === undefined ? {} : { process: normalizeProcess(config.process) }),
    ...(config.mounts === undefined
      ? {}
      : {
          mounts: config.mounts.map((mount) =>
            mount.destination.startsWith('/')
              ? mount
              : { ...mount, destination: `/${mount.destination}` },
          ),
        }),
    ...(config.linux === undefined
      ? {}
      : { linux: normalizeLinux(config.linux, config.ociVersion) }),
  }
}

/**
 * `pids.limit` 0 is a limit since runtime-spec 1.3; until then it stood for none, and podman 4.0 to 5.4
 * writes it for `--pids-limit -1`. `ociVersion` is that of the container's config.json.
 */
export function normalizeResources(resources: Resources, ociVersion: string): Resources {
  if (resources.pids?.limit !== 0 || !isOlderThan13(ociVersion)) return resources
  return { ...resources, pids: { limit: -1 } }
}

/** A process whose user has uid and gid: Go's callers leave zeroes out. */
export function normalizeProcess(process: Process): Process {
  const user: Partial<User> = process.user ?? {}
  return { ...process, user: { ...user, uid: user.uid ?? 0, gid: user.gid ?? 0 } }
}

/** What the caller may want to hear about a valid document: nothing here keeps it from running. */
export function runtimeConfigWarnings(config: RuntimeConfig): readonly string[] {
  const unknown = new Map<string, string>()
  for (const [set, names] of Object.entries(config.process?.capabilities ?? {})) {
    if (!Array.isArray(names)) continue
    for (const name of names) {
      if (!isCapabilityName(name) && !unknown.has(name)) unknown.set(name, set)
    }
  }
  return [
    ...[...unknown].map(
      ([name, set]) =>
        `process.capabilities.${set}: no capability of Linux is named ${JSON.stringify(name)}`,
    ),
    ...ambientWarnings(config.process?.capabilities ?? {}),
    ...mountWarnings(config.mounts ?? []),
  ]
}

// mount(8), "Bind mounts": these are of the superblock, which a bind mount shares with the host.
function mountWarnings(mounts: readonly Mount[]): readonly string[] {
  const superblock = new Set(['sync', 'dirsync', 'mand', 'lazytime'])
  return mounts.flatMap(({ type, options = [] }, i) =>
    type === 'bind' || options.includes('bind') || options.includes('rbind')
      ? options
          .filter((option) => superblock.has(option))
          .map((option) => `mounts[${i}].options: ${option} has no effect on a bind mount`)
      : [],
  )
}

// capabilities(7): ambient can be what is both permitted and inheritable.
function ambientWarnings(sets: Capabilities): readonly string[] {
  const { ambient = [], permitted = [], inheritable = [] } = sets
  return ambient
    .filter((name) => isCapabilityName(name))
    .filter((name) => !permitted.includes(name) || !inheritable.includes(name))
    .map((name) => `can't raise ambient capability ${name}: it is not permitted and inheritable`)
}

function normalizeLinux(linux: Linux, ociVersion: string): Linux {
  const { namespaces, resources } = linux
  return {
    ...linux,
    ...(namespaces === undefined ? {} : { namespaces: namespaces.map(normalizeNamespace) }),
    ...(resources === undefined ? {} : { resources: normalizeResources(resources, ociVersion) }),
  }
}

function isOlderThan13(ociVersion: string): boolean {
  // Valid versions are 1.x.
  return Number(ociVersion.split('.')[1]) < 3
}

function normalizeNamespace(namespace: Namespace): Namespace {
  return namespace.path === '' ? { type: namespace.type } : namespace
}
