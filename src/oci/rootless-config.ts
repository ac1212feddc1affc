/** What a config.json must have, and cannot have, when the caller is not root. */
import { TsrunError } from '../errors.ts'
import type { IdMapping, Linux, Mount, RuntimeConfig } from './runtime-config.ts'

/**
 * Throws `invalid-argument` for what only root could do, before anything is made, and `not-implemented` for what
 * tsrun does for root alone.
 */
export function checkRootlessConfig(config: RuntimeConfig): void {
  const linux = config.linux ?? {}
  const user = linux.namespaces?.find(({ type }) => type === 'user')
  if (user === undefined) {
    throw new TsrunError('invalid-argument', 'rootless container requires user namespaces', {
      hint: 'add {"type": "user"} to linux.namespaces, with linux.uidMappings and linux.gidMappings, as tsrun spec --rootless does; or run it as root',
    })
  }
  const unsupported = unsupportedWithoutRoot(config)
  if (unsupported !== undefined)
    throw new TsrunError('not-implemented', `unsupported without root: ${unsupported}`)
  // What is mapped in a namespace that is joined, the kernel says.
  if ((user.path ?? '') === '') checkOwners(config, linux)
}

function unsupportedWithoutRoot({ linux, mounts = [] }: RuntimeConfig): string | undefined {
  const isNew = ({ path }: { readonly path?: string }): boolean => (path ?? '') === ''
  const time = linux?.namespaces?.findIndex((entry) => entry.type === 'time' && isNew(entry)) ?? -1
  if (time >= 0) return `linux.namespaces[${time}] (a new time namespace)`
  if (Object.keys(linux?.netDevices ?? {}).length > 0) return 'linux.netDevices'
  const index = mounts.findIndex(needsRoot)
  return index < 0
    ? undefined
    : `mounts[${index}] (${mounts[index]?.destination}) with ${why(mounts[index])}`
}

function needsRoot(mount: Mount): boolean {
  return why(mount) !== undefined
}

function why({ options = [], uidMappings, gidMappings }: Partial<Mount> = {}): string | undefined {
  if (options.includes('tmpcopyup')) return 'tmpcopyup'
  const mapped = options.find((option) => /^r?idmap(=|$)/.test(option))
  if (mapped !== undefined) return mapped
  return uidMappings === undefined && gidMappings === undefined ? undefined : 'mapped ids'
}

/** The ids of `uid=` and `gid=` of the mounts must be ids of the container. */
function checkOwners(config: RuntimeConfig, { uidMappings = [], gidMappings = [] }: Linux): void {
  for (const [index, { options = [], destination }] of (config.mounts ?? []).entries()) {
    for (const option of options) {
      const match = /^([ug])id=(\d+)$/.exec(option)
      if (match === null) continue
      const kind = `${match[1]}id`
      const mappings = kind === 'uid' ? uidMappings : gidMappings
      if (isMapped(mappings, Number(match[2]))) continue
      throw new TsrunError(
        'invalid-argument',
        `cannot specify ${option} mount options for unmapped ${kind} in rootless containers: mounts[${index}] (${destination})`,
        { hint: `leave ${option} out, or map it in linux.${kind}Mappings` },
      )
    }
  }
  checkGroups(config, gidMappings)
}

// A namespace that maps the caller's own group alone denies setgroups(2), as user_namespaces(7) has it.
function checkGroups({ process }: RuntimeConfig, gidMappings: readonly IdMapping[]): void {
  const groups = process?.user?.additionalGids ?? []
  const isSingle = gidMappings.length === 1 && gidMappings[0]?.size === 1
  if (groups.length === 0 || !isSingle) return
  throw new TsrunError(
    'invalid-argument',
    'cannot set any additional groups in a rootless container: process.user.additionalGids',
    {
      hint: 'leave them out, or map a range of /etc/subgid in linux.gidMappings: with your own group alone the kernel allows no others',
    },
  )
}

function isMapped(mappings: readonly IdMapping[], id: number): boolean {
  return mappings.some(({ containerID, size }) => id >= containerID && id < containerID + size)
}
