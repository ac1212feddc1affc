/** Which limit a container ran into, by the counters of its cgroup and of those above (cgroup-v2.rst). */
import { dirname, join } from 'node:path'
import { readIfThere } from './read-if-there.ts'

/** `memory`: the kernel killed processes. `pids`: it refused new ones. */
export type LimitedResource = 'memory' | 'pids'

export interface ReachedLimit {
  readonly resource: LimitedResource
  /** Whose limit it was: of the container's cgroup or one below, of one above it, or the host's own memory. */
  readonly owner: 'container' | 'ancestor' | 'host'
  /** Absolute path of the cgroup with the limit; absent for the host. */
  readonly cgroup?: string
  /** The file with the limit, and what it said when the container had ended: bytes, processes, or `max`. */
  readonly file?: string
  readonly limit?: string
  /** The most that the container's cgroup ever used, where the kernel counts it. */
  readonly peak?: string
  /** The counter that moved, such as `memory.events oom_kill`, and by how much. */
  readonly counter: string
  readonly count: number
}

/** How often the limits of cgroups have been reached so far, by their paths. */
export type OomCounts = Readonly<Record<string, number>>

/** The cgroups above `path`, up to the mount point, which has no limits itself: nearest first. */
function ancestorsOf(mountPoint: string, path: string): readonly string[] {
  const parent = dirname(path)
  if (!parent.startsWith(`${mountPoint}/`)) return []
  return [parent, ...ancestorsOf(mountPoint, parent)]
}

/** How often each cgroup above `path` has run out of its own memory: {@link limitsReached} tells what was before. */
export function oomCountsAbove(mountPoint: string, path: string): OomCounts {
  const counts = ancestorsOf(mountPoint, path).flatMap((ancestor) => {
    const count = localOoms(ancestor)
    return count === undefined ? [] : [[ancestor, count] as const]
  })
  return Object.fromEntries(counts)
}

/**
 * The limits that the container with the cgroup at `path` has run into; none when it is gone. `before` is what
 * {@link oomCountsAbove} said when the container was made.
 */
export function limitsReached(
  mountPoint: string,
  path: string,
  before: OomCounts,
): readonly ReachedLimit[] {
  const killed = counterOf(path, 'memory.events', 'oom_kill') ?? 0
  const refused = counterOf(path, 'pids.events', 'max') ?? 0
  return [
    ...(killed > 0 ? [outOfMemory(mountPoint, path, before, killed)] : []),
    ...(refused > 0 ? [tooManyProcesses(path, refused)] : []),
  ]
}

function outOfMemory(
  mountPoint: string,
  path: string,
  before: OomCounts,
  count: number,
): ReachedLimit {
  const common = {
    resource: 'memory',
    counter: 'memory.events oom_kill',
    count,
    ...peakOf(path, 'memory.peak'),
  } as const
  const limitOf = (cgroup: string) => ({
    cgroup,
    file: 'memory.max',
    limit: readIfThere(join(cgroup, 'memory.max')).trim(),
  })
  // `oom` counts in the cgroup whose limit it was, and in those above it; .local in that one alone.
  if ((counterOf(path, 'memory.events', 'oom') ?? 0) > 0)
    return { ...common, owner: 'container', ...limitOf(path) }
  const ancestor = ancestorsOf(mountPoint, path).find(
    (each) => (localOoms(each) ?? 0) > (before[each] ?? 0),
  )
  return ancestor === undefined
    ? { ...common, owner: 'host' }
    : { ...common, owner: 'ancestor', ...limitOf(ancestor) }
}

function tooManyProcesses(path: string, count: number): ReachedLimit {
  return {
    resource: 'pids',
    owner: 'container',
    cgroup: path,
    file: 'pids.max',
    limit: readIfThere(join(path, 'pids.max')).trim(),
    ...peakOf(path, 'pids.peak'),
    counter: 'pids.events max',
    count,
  }
}

function peakOf(path: string, file: string): { readonly peak?: string } {
  const peak = readIfThere(join(path, file)).trim()
  return peak === '' ? {} : { peak }
}

/** Undefined where there is no memory controller, and before Linux 5.2 had the file. */
function localOoms(path: string): number | undefined {
  return counterOf(path, 'memory.events.local', 'oom')
}

function counterOf(path: string, file: string, key: string): number | undefined {
  const line = readIfThere(join(path, file))
    .split('\n')
    .find((entry) => entry.startsWith(`${key} `))
  return line === undefined ? undefined : Number(line.slice(key.length + 1))
}
