/** A cgroup mount that the kernel would refuse in a user namespace becomes a read-only bind of the host's. */
import type { Mount, RuntimeConfig } from '../../oci/runtime-config.ts'
import { hasNamespace } from './create-context.ts'

const KEPT_OPTIONS = new Set(['nosuid', 'nodev', 'noexec', 'relatime', 'noatime'])

/**
 * cgroup2 can be mounted only by whoever owns the cgroup namespace (cgroup_namespaces(7)). In a user
 * namespace without a cgroup namespace of its own, the host's tree is shown instead, and never
 * writable: the files may belong to the user who started us (CVE-2023-25809).
 */
export function withCgroupBinds(config: RuntimeConfig, hostMount: string): RuntimeConfig {
  const refused = hasNamespace(config, 'user', 'any') && !hasNamespace(config, 'cgroup', 'any')
  if (!refused || config.mounts === undefined) return config
  return { ...config, mounts: config.mounts.map((mount) => asBind(mount, hostMount)) }
}

function asBind(mount: Mount, source: string): Mount {
  if (mount.type !== 'cgroup' && mount.type !== 'cgroup2') return mount
  const kept = (mount.options ?? []).filter((option) => KEPT_OPTIONS.has(option))
  return {
    destination: mount.destination,
    type: 'bind',
    source,
    options: ['rbind', 'rro', ...kept],
  }
}
