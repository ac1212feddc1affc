/** Without a cgroup namespace of its own a container gets a bind of the host's cgroup tree, not a mount. */
import type { Mount, RuntimeConfig } from '../../oci/runtime-config.ts'
import { hasNamespace } from './create-context.ts'

const CGROUP_TYPES = new Set(['cgroup', 'cgroup2'])
const READ_ONLY = ['ro', 'rro']

/**
 * Outside a cgroup namespace a cgroup2 mount shows the host's tree, and sets the options of the
 * whole hierarchy to its own: systemd's `nsdelegate` and `memory_recursiveprot` would be lost
 * (cgroup-v2.rst "Mounting"). In a user namespace the kernel refuses it. A bind shows the same, and
 * there it is never writable: the files may belong to the user who started us (CVE-2023-25809).
 */
export function withCgroupBinds(config: RuntimeConfig, hostMount: string): RuntimeConfig {
  if (hasNamespace(config, 'cgroup', 'any') || config.mounts === undefined) return config
  const readOnly = hasNamespace(config, 'user', 'any') ? READ_ONLY : []
  return {
    ...config,
    mounts: config.mounts.map((mount) =>
      CGROUP_TYPES.has(mount.type ?? '') ? asBind(mount, hostMount, readOnly) : mount,
    ),
  }
}

function asBind(mount: Mount, source: string, added: readonly string[]): Mount {
  const options = (mount.options ?? []).filter((option) => !isSuperblockOption(option))
  return {
    destination: mount.destination,
    type: 'bind',
    source,
    options: ['rbind', ...options, ...added],
  }
}

function isSuperblockOption(option: string): boolean {
  return ['nsdelegate', 'favordynmods', 'memory_recursiveprot', 'memory_localevents'].includes(
    option,
  )
}
