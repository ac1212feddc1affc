/**
 * The root filesystem as criu wants it: a mount of its own whose parent is not covered, with a place for
 * every mount of the container (criu.org "Checkpoint/Restore of mount namespaces").
 */
import { isAbsolute, join } from 'node:path'
import {
  MNT_DETACH,
  MS_SLAVE,
  OPEN_TREE_CLOEXEC,
  OPEN_TREE_CLONE,
} from '../../linux/mount-flags.ts'
import { AT_FDCWD, AT_RECURSIVE, S_IFDIR } from '../../linux/open-flags.ts'
import type { Mount } from '../../oci/runtime-config.ts'
import type { RestoreRoot } from '../compile-criu.ts'
import type { Slot } from '../instruction.ts'
import type { PlanBuilder } from '../plan-builder.ts'
import { isBind, parseMountOptions } from './mount-options.ts'
import { componentsOf, directoryFlags, fileTypeOf, openOrMake } from './path-in-root.ts'
import { emitAttach, emitCloneTree, emitSetAttributes } from './rootfs.ts'

const CGROUP_TYPES = new Set(['cgroup', 'cgroup2'])

/** Emits both steps, in a mount namespace of the caller's own. */
export function emitRestoreRoot(b: PlanBuilder, restore: RestoreRoot): void {
  const mounts = restore.config.mounts ?? []
  b.at('/root/path', () => {
    const host = b.sys('openat', [AT_FDCWD, b.string('/'), directoryFlags(b), 0])
    emitSetAttributes(b, host, { propagation: MS_SLAVE }, true)
  })
  // Bind mounts are there only while places are made inside them: criu makes the mounts itself.
  const scratch = emitRootAt(b, restore)
  mounts.forEach((mount, index) => {
    b.at(`/mounts/${index}`, () => emitPlace(b, scratch, restore, mount))
  })
  b.at('/root/path', () => b.run('umount2', [b.string(restore.place), MNT_DETACH]))
  emitRootAt(b, restore)
}

function emitRootAt(b: PlanBuilder, { rootfs, place }: RestoreRoot): Slot {
  return b.at('/root/path', () => {
    const source = b.sys('openat', [AT_FDCWD, b.string(rootfs), directoryFlags(b), 0])
    const target = b.sys('openat', [AT_FDCWD, b.string(place), directoryFlags(b), 0])
    const tree = emitCloneTree(b, source, true)
    emitAttach(b, tree, target)
    return tree
  })
}

function emitPlace(b: PlanBuilder, root: Slot, restore: RestoreRoot, mount: Mount): void {
  if (!needsPlace(mount, restore.config.mounts ?? [])) return
  const options = parseMountOptions(mount.options ?? [])
  if (!isBind(mount, options)) {
    openOrMake(b, root, mount.destination, S_IFDIR)
    return
  }
  const given = mount.source ?? ''
  const source = isAbsolute(given) ? given : join(restore.bundle, given)
  const flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE
  const tree = b.sys('open_tree', [AT_FDCWD, b.string(source), flags], { note: source })
  const target = openOrMake(b, root, mount.destination, fileTypeOf(b, tree))
  emitAttach(b, tree, target)
}

// The content of a tmpfs is in the images, and /sys/fs/cgroup comes with /sys.
function needsPlace(mount: Mount, mounts: readonly Mount[]): boolean {
  if (CGROUP_TYPES.has(mount.type ?? '')) return false
  const path = componentsOf(mount.destination).join('/')
  return !mounts.some(
    ({ type, destination }) =>
      type === 'tmpfs' && path.startsWith(`${componentsOf(destination).join('/')}/`),
  )
}
