/**
 * Mount destinations, and a working directory, that lead through a symbolic link to nothing, as /etc/resolv.conf of images made
 * for systemd does: the kernel makes nothing behind such a link, so the plan gets the path that the
 * link means. It is a name only: the plan resolves it again, inside the root and by descriptors, so a
 * root that changes meanwhile can lead it to another place in the root but never out of it.
 */
import { lstatSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { errnoCodeOf } from '../errors.ts'
import type { RuntimeConfig } from '../oci/runtime-config.ts'
import { destinationOf } from '../plan/compile/mount-target.ts'
import { componentsOf } from '../plan/compile/path-in-root.ts'

const MAX_LINKS = 40 // path_resolution(7)

/** By destination, both from the container's root on; only those that need it. */
export function followDanglingLinks(
  rootfs: string,
  { mounts = [], process }: RuntimeConfig,
): Readonly<Record<string, string>> {
  const targets: Record<string, string> = {}
  const mounted = new Set<string>()
  const places = mounts.map((mount) => destinationOf({ rootfs }, mount))
  for (const components of [...places, componentsOf(process?.cwd ?? '/')]) {
    const path = `/${components.join('/')}`
    const target = ifReadable(() => pathBehindLinks(rootfs, components, mounted))
    if (target !== undefined) targets[path] = target
    mounted.add(target ?? path)
  }
  return targets
}

// Replaced while we look, or a link to a name that is too long: the plan meets it again and says so.
function ifReadable(look: () => string | undefined): string | undefined {
  try {
    return look()
  } catch (error) {
    if (errnoCodeOf(error) === undefined) throw error
    return undefined
  }
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
