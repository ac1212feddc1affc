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

/**
 * What the caller may want to hear about a valid document: nothing here keeps it from running.
 * `withheld` are the capabilities of the kernel that cannot be given.
 */
export function runtimeConfigWarnings(
  config: RuntimeConfig,
  withheld: readonly string[] = [],
): readonly string[] {
  const sets = config.process?.capabilities ?? {}
  return [
    ...capabilityWarnings(sets, withheld),
    ...ambientWarnings(sets, withheld),
    ...mountWarnings(config.mounts ?? []),
  ]
}

/** config.md "Linux Process": what cannot be mapped or granted is a warning. Each name once. */
export function capabilityWarnings(
  sets: Capabilities,
  withheld: readonly string[],
): readonly string[] {
  const warnings = new Map<string, string>()
  for (const [set, names] of Object.entries(sets)) {
    if (!Array.isArray(names)) continue
    for (const name of names) {
      const problem = capabilityProblem(name, withheld)
      if (problem !== undefined && !warnings.has(name))
        warnings.set(name, `process.capabilities.${set}: ${problem}`)
    }
  }
  return [...warnings.values()]
}

function capabilityProblem(name: string, withheld: readonly string[]): string | undefined {
  if (!isCapabilityName(name)) return `no capability of Linux is named ${JSON.stringify(name)}`
  if (!withheld.includes(name)) return undefined
  return `the process does not get ${name}, which tsrun does not have itself here`
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
function ambientWarnings(sets: Capabilities, withheld: readonly string[]): readonly string[] {
  const { ambient = [], permitted = [], inheritable = [] } = sets
  return ambient
    .filter((name) => capabilityProblem(name, withheld) === undefined)
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
