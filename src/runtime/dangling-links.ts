/**
 * Mount destinations that lead through a symbolic link to nothing, as /etc/resolv.conf of images made
 * for systemd does: the kernel makes nothing behind such a link, so the plan gets the path that the
 * link means. It is a name only: the plan resolves it again, inside the root and by descriptors, so a
 * root that changes meanwhile can lead it to another place in the root but never out of it.
 */
import { lstatSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import type { Mount } from '../oci/runtime-config.ts'
import { destinationOf } from '../plan/compile/mount-target.ts'

const MAX_LINKS = 40 // path_resolution(7)

/** By destination, both from the container's root on; only those that need it. */
export function followDanglingLinks(
  rootfs: string,
  mounts: readonly Mount[],
): Readonly<Record<string, string>> {
  const targets: Record<string, string> = {}
  const mounted = new Set<string>()
  for (const mount of mounts) {
    const components = destinationOf({ rootfs }, mount)
    const path = `/${components.join('/')}`
    const target = pathBehindLinks(rootfs, components, mounted)
    if (target !== undefined) targets[path] = target
    mounted.add(target ?? path)
  }
  return targets
}

/** Undefined when no link is on the way, when all of it exists, or when it is covered by a mount. */
function pathBehindLinks(
  rootfs: string,
  components: readonly string[],
  mounted: ReadonlySet<string>,
): string | undefined {
  const pending = [...components]
  const resolved: string[] = []
  let links = 0
  let isMissing = false
  for (let name = pending.shift(); name !== undefined; name = pending.shift()) {
    if (name === '' || name === '.') continue
    if (name === '..') {
      resolved.pop()
      continue
    }
    const path = `/${[...resolved, name].join('/')}`
    // What lies below another mount, the plan alone can see.
    if (mounted.has(path)) return undefined
    const stat = lstatSync(join(rootfs, path), { throwIfNoEntry: false })
    if (stat?.isSymbolicLink() !== true) {
      isMissing ||= stat === undefined
      resolved.push(name)
      continue
    }
    const text = readlinkSync(join(rootfs, path))
    if (++links > MAX_LINKS) return undefined
    if (text.startsWith('/')) resolved.length = 0
    pending.unshift(...text.split('/'))
  }
  return links > 0 && isMissing ? `/${resolved.join('/')}` : undefined
}
