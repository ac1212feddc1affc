/** What a container's own view of itself must say when its config asks for a confinement. */
import { join } from 'node:path'
import { capabilityMask } from '../../src/linux/capabilities.ts'
import type { RuntimeConfig } from '../../src/oci/runtime-config.ts'

/** The output of isolation-probe.c by section. */
export type Probe = ReadonlyMap<string, string>

export function parseProbe(text: string): Probe | undefined {
  if (!text.endsWith('== end\n')) return undefined
  return new Map(
    text
      .split(/^== /m)
      .filter((part) => part !== '')
      .map((part) => [part.split('\n', 1)[0] ?? '', part.slice(part.indexOf('\n') + 1)]),
  )
}

const LINK_NAMES: Readonly<Record<string, string>> = { network: 'net', mount: 'mnt' }
const FLAGS = ['ro', 'nosuid', 'nodev', 'noexec'] as const
const OPPOSITES: Readonly<Record<string, string>> = {
  ro: 'rw',
  nosuid: 'suid',
  nodev: 'dev',
  noexec: 'exec',
}

/**
 * Where the container has less isolation than `config` asks for: one line each. `host` are the links
 * of /proc/self/ns of the runtime's process. What the probe could not see counts as kept.
 */
export function missingIsolation(
  config: RuntimeConfig,
  probe: Probe,
  host: ReadonlySet<string>,
): readonly string[] {
  return [
    ...credentials(config, probe.get('/proc/self/status') ?? ''),
    ...limits(config, probe),
    ...namespaces(config, probe.get('namespaces') ?? '', host),
    ...mounts(config, probe.get('/proc/self/mountinfo') ?? ''),
  ]
}

function credentials(config: RuntimeConfig, status: string): readonly string[] {
  if (status === '') return []
  const field = (name: string): string =>
    new RegExp(`^${name}:[ \\t]*(.*)$`, 'm').exec(status)?.[1]?.trim() ?? ''
  const found: string[] = []
  const { process, linux } = config
  if (process?.noNewPrivileges === true && field('NoNewPrivs') !== '1') found.push('NoNewPrivs')
  if (linux?.seccomp !== undefined && field('Seccomp') !== '2') found.push('Seccomp')
  const user = process?.user ?? { uid: 0, gid: 0 }
  if (field('Uid') !== Array(4).fill(user.uid).join('\t')) found.push(`Uid ${field('Uid')}`)
  if (field('Gid') !== Array(4).fill(user.gid).join('\t')) found.push(`Gid ${field('Gid')}`)
  const groups = field('Groups')
    .split(/\s+/)
    .filter((group) => group !== '')
    .map(Number)
  const allowed = new Set(user.additionalGids ?? [])
  if (groups.some((group) => !allowed.has(group))) found.push(`Groups ${groups}`)
  for (const [name, most] of Object.entries(mostCapabilities(config)))
    if ((BigInt(`0x${field(name) || '0'}`) & ~most) !== 0n) found.push(`${name} ${field(name)}`)
  return found
}

// capabilities(7), "Transformation of capabilities during execve()": root is given what its bounding set
// allows, everybody else what is ambient.
function mostCapabilities({ process }: RuntimeConfig): Readonly<Record<string, bigint>> {
  const sets = process?.capabilities ?? {}
  const bounding = capabilityMask(sets.bounding ?? [])
  const ambient = capabilityMask(sets.ambient ?? [])
  const atExec = (process?.user?.uid ?? 0) === 0 ? bounding | ambient : ambient
  const inheritable = capabilityMask(sets.inheritable ?? [])
  return { CapBnd: bounding, CapEff: atExec, CapPrm: atExec, CapInh: inheritable, CapAmb: ambient }
}

function limits(config: RuntimeConfig, probe: Probe): readonly string[] {
  const adjustment = config.process?.oomScoreAdj
  const seen = probe.get('/proc/self/oom_score_adj')?.trim()
  return adjustment === undefined ||
    seen === undefined ||
    seen === '' ||
    seen === String(adjustment)
    ? []
    : [`oom_score_adj ${seen}`]
}

function namespaces(
  config: RuntimeConfig,
  links: string,
  host: ReadonlySet<string>,
): readonly string[] {
  return (config.linux?.namespaces ?? [])
    .filter(({ path }) => (path ?? '') === '')
    .map(({ type }) => LINK_NAMES[type] ?? type)
    .flatMap((name) => links.split('\n').filter((link) => link.startsWith(`${name}:`)))
    .filter((link) => host.has(link))
}

function mounts(config: RuntimeConfig, mountinfo: string): readonly string[] {
  const lines = mountinfo.split('\n').map((line) => line.split(' '))
  const optionsAt = (path: string): readonly string[] | undefined =>
    lines.findLast(([, , , , at]) => at === path)?.[5]?.split(',')
  const found: string[] = []
  const root = optionsAt('/')
  const destinations = (config.mounts ?? []).map(({ destination }) => destination)
  // What is mounted over the root hides below it: the process keeps the root it has.
  const isCovered = destinations.some((destination) => join('/', destination) === '/')
  if (config.root?.readonly === true && root !== undefined && !root.includes('ro') && !isCovered)
    found.push('root is writable')
  const masked = config.linux?.maskedPaths ?? []
  for (const { destination, options = [] } of config.mounts ?? []) {
    const seen = optionsAt(destination)
    // A later mount on the same place, or the mask, is what one sees there.
    if (seen === undefined || masked.includes(destination)) continue
    if (destinations.filter((other) => other === destination).length > 1) continue
    for (const flag of FLAGS) {
      const wanted = options.findLast((option) => option === flag || option === OPPOSITES[flag])
      if (wanted === flag && !seen.includes(flag)) found.push(`${destination} is not ${flag}`)
    }
  }
  return found
}
