/** Who is to own the cgroup of a container, for programs inside that manage their own: systemd, another runtime. */
import { normalize } from 'node:path'
import type { Mount, RuntimeConfig } from '../oci/runtime-config.ts'

/**
 * The user of the host that the process of the container is, where config-linux.md "Cgroup ownership" says so: with a
 * cgroup namespace of its own and cgroups mounted for writing. Undefined where the cgroup stays root's.
 */
export function cgroupOwner(config: RuntimeConfig): number | undefined {
  const hasOwnNamespace = (config.linux?.namespaces ?? []).some(
    ({ type, path }) => type === 'cgroup' && (path ?? '') === '',
  )
  if (!hasOwnNamespace || !(config.mounts ?? []).some(isWritableCgroup)) return undefined
  const owner = hostUid(config, config.process?.user?.uid ?? 0)
  return owner === 0 ? undefined : owner
}

function isWritableCgroup({ source, destination, options = [] }: Mount): boolean {
  const isThere = source === 'cgroup' && normalize(`${destination}/`) === '/sys/fs/cgroup/'
  return isThere && !options.includes('ro') && !options.includes('rro')
}

// A user that the namespace does not map is nobody's to give to; what joins a namespace brings no mappings.
function hostUid({ linux }: RuntimeConfig, uid: number): number | undefined {
  if (!(linux?.namespaces ?? []).some(({ type }) => type === 'user')) return uid
  const mapping = (linux?.uidMappings ?? []).find(
    ({ containerID, size }) => uid >= containerID && uid < containerID + size,
  )
  return mapping === undefined ? undefined : mapping.hostID + uid - mapping.containerID
}
