/** Makes the root filesystem a mount of its own and turns it into "/" (pivot_root(2), mount_setattr(2)). */
import {
  FSCONFIG_CMD_CREATE,
  FSCONFIG_SET_STRING,
  FSMOUNT_CLOEXEC,
  FSOPEN_CLOEXEC,
  MNT_DETACH,
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_NOEXEC,
  MOUNT_ATTR_NOSUID,
  MOUNT_ATTR_RDONLY,
  MOVE_MOUNT_F_EMPTY_PATH,
  MOVE_MOUNT_T_EMPTY_PATH,
  MS_PRIVATE,
  MS_SHARED,
  MS_SLAVE,
  OPEN_TREE_CLOEXEC,
  OPEN_TREE_CLONE,
} from '../../linux/mount-flags.ts'
import { AT_EMPTY_PATH, AT_FDCWD, AT_RECURSIVE } from '../../linux/open-flags.ts'
import type { CompileCreateOptions } from '../compile-options.ts'
import type { Operand, Slot } from '../instruction.ts'
import type { PlanBuilder } from '../plan-builder.ts'
import type { CreateContext, ProcessContext } from './create-context.ts'
import { MOUNT_ATTR_SIZE, type MountAttributes, mountAttr } from './kernel-structs.ts'
import { emitMaskLabel } from './lsm-label.ts'
import { type Propagation, parsePropagation } from './mount-options.ts'
import { emitOpenRoot } from './mount-sources.ts'
import { directoryFlags } from './path-in-root.ts'

const EINVAL = 22

/** mount_setattr(2) on the mount behind `fd`, and with `recursive` on all below it. */
export function emitSetAttributes(
  b: PlanBuilder,
  fd: Operand,
  attributes: MountAttributes,
  recursive: boolean,
  tolerate: readonly string[] = [],
): void {
  const flags = AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0)
  b.run('mount_setattr', [fd, b.string(''), flags, mountAttr(b, attributes), MOUNT_ATTR_SIZE], {
    tolerate,
  })
}

/** move_mount(2) of the detached mount `tree` onto `target`, both by descriptor. */
export function emitAttach(b: PlanBuilder, tree: Operand, target: Operand): void {
  const flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH
  b.run('move_mount', [tree, b.string(''), target, b.string(''), flags])
}

/** A detached copy of the mount at `fd` itself (open_tree(2)). */
export function emitCloneTree(b: PlanBuilder, fd: Operand, recursive: boolean, into?: Slot): Slot {
  const flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0)
  return b.sys('open_tree', [fd, b.string(''), flags], into === undefined ? {} : { into })
}

/** An empty read-only tmpfs, detached (fsopen(2)). */
export function emitEmptyDirectory(c: ProcessContext, into: Slot): void {
  const { b } = c
  const context = b.sys('fsopen', [b.string('tmpfs'), FSOPEN_CLOEXEC])
  b.run('fsconfig', [context, FSCONFIG_SET_STRING, b.string('nr_blocks'), b.string('1'), 0])
  b.run('fsconfig', [context, FSCONFIG_SET_STRING, b.string('nr_inodes'), b.string('1'), 0])
  emitMaskLabel(c, context)
  b.run('fsconfig', [context, FSCONFIG_CMD_CREATE, 0, 0, 0])
  const attributes = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC
  b.sys('fsmount', [context, FSMOUNT_CLOEXEC, attributes], { into })
  b.run('close', [context])
}

/**
 * Takes the mounts of the new namespace away from the host's, and puts a private copy of the root
 * filesystem in place; returns its descriptor. With a shared `rootfsPropagation` the mounts stay
 * peers of the host's, so that bind mounts made of them propagate there.
 */
export function emitRootMount(c: CreateContext): Slot {
  const { b } = c
  const { type, recursive } = rootPropagation(c)
  return b.at('/root/path', () => {
    const host = b.sys('openat', [AT_FDCWD, b.string('/'), directoryFlags(b), 0])
    if (type === MS_SHARED) {
      emitSetAttributes(b, host, { propagation: MS_SHARED }, recursive)
      emitPrivateParent(b, c.rootfs)
    } else {
      const first = type === MS_PRIVATE ? MS_PRIVATE : MS_SLAVE
      emitSetAttributes(b, host, { propagation: first }, true)
    }
    const place = emitOpenRoot(c)
    const root = emitCloneTree(b, place, true)
    // pivot_root refuses a shared root; what it is to be in the end it becomes after that.
    if (type === MS_SHARED) emitSetAttributes(b, root, { propagation: MS_PRIVATE }, false)
    emitAttach(b, root, place)
    for (const fd of [host, place]) b.run('close', [fd])
    return root
  })
}

function rootPropagation(c: CreateContext): Propagation {
  const configured = parsePropagation(c.config.linux?.rootfsPropagation ?? '')
  return configured ?? { type: MS_SLAVE, recursive: true }
}

// A mount on a shared mount would appear on the host too. mount_setattr(2) takes the root of a mount
// only (EINVAL), so this climbs from the root filesystem to the mount that holds it.
function emitPrivateParent(b: PlanBuilder, rootfs: string): void {
  // A path through symbolic links may be deeper than it looks. Above the root, ".." is the root.
  const levels = rootfs.split('/').length + 8
  const attributes = mountAttr(b, { propagation: MS_PRIVATE })
  const done = b.label()
  for (let level = 0; level < levels; level++) {
    const path = b.string(`${rootfs}${'/..'.repeat(level)}`)
    const set = b.sys('mount_setattr', [AT_FDCWD, path, 0, attributes, MOUNT_ATTR_SIZE], {
      tolerate: ['EINVAL'],
    })
    b.branch(set, 'eq', 0, done)
  }
  b.fail(EINVAL, `no mount holds ${rootfs}`)
  b.place(done)
}

/** Turns the filesystems that had to stay writable during the set-up read-only. */
export function emitLateReadonly(c: CreateContext, root: Slot): void {
  for (const mount of c.lateReadonly)
    emitSetAttributes(c.b, mount, { set: MOUNT_ATTR_RDONLY }, false)
  if (c.config.root?.readonly !== true) return
  c.b.at('/root/readonly', () => emitSetAttributes(c.b, root, { set: MOUNT_ATTR_RDONLY }, false))
}

/** Makes `root` the root directory and drops the host's tree. */
export function emitEnterRoot(
  c: CreateContext,
  root: Slot,
  options: Pick<CompileCreateOptions, 'noPivot' | 'wholeMounts'>,
): void {
  const { b } = c
  b.at('/root/path', () => {
    if (options.noPivot === true) emitMoveRoot(c, root, options.wholeMounts ?? [])
    else emitPivot(b, root)
    b.run('chdir', [b.string('/')])
  })
  emitRootPropagation(c, root)
}

// Private and slave it is already; once more would undo what single mounts asked for.
function emitRootPropagation(c: CreateContext, root: Slot): void {
  const { type, recursive } = rootPropagation(c)
  if (type === MS_PRIVATE || type === MS_SLAVE) return
  c.b.at('/linux/rootfsPropagation', () =>
    emitSetAttributes(c.b, root, { propagation: type }, recursive),
  )
}

// pivot_root(".", ".") stacks the old root on the new one: no directory for it is needed inside
// the container. The old root becomes a slave first, so that its unmounting stays with us.
function emitPivot(b: PlanBuilder, root: Slot): void {
  const old = b.sys('openat', [AT_FDCWD, b.string('/'), directoryFlags(b), 0])
  b.run('fchdir', [root])
  b.run('pivot_root', [b.string('.'), b.string('.')])
  b.run('fchdir', [old])
  emitSetAttributes(b, old, { propagation: MS_SLAVE }, true)
  b.run('umount2', [b.string('.'), MNT_DETACH])
}

// For a host whose root is the initramfs, which pivot_root refuses. The host's tree stays below
// the container's, and with it any whole procfs or sysfs: the kernel would let the container mount
// another one without masks (mount_too_revealing in fs/namespace.c), so these go first.
function emitMoveRoot(c: CreateContext, root: Slot, wholeMounts: readonly string[]): void {
  const { b } = c
  for (const path of wholeMounts) emitDropMount(c, path)
  b.run('fchdir', [root])
  b.run('move_mount', [root, b.string(''), AT_FDCWD, b.string('/'), MOVE_MOUNT_F_EMPTY_PATH])
  b.run('chroot', [b.string('.')])
}

function emitDropMount(c: CreateContext, path: string): void {
  const { b } = c
  const done = b.label()
  // It may have been below another that is gone already.
  const mount = b.sys('openat', [AT_FDCWD, b.string(path), directoryFlags(b), 0], {
    tolerate: ['ENOENT'],
    note: path,
  })
  b.branch(mount, 'lt', 0, done)
  emitSetAttributes(b, mount, { propagation: MS_SLAVE }, true)
  b.run('fchdir', [mount])
  // What a user namespace inherited is locked to its place (mount_namespaces(7)): cover it.
  const dropped = b.sys('umount2', [b.string('.'), MNT_DETACH], { tolerate: ['EINVAL', 'EPERM'] })
  b.branch(dropped, 'eq', 0, done)
  const cover = b.slot('cover')
  emitEmptyDirectory(c, cover)
  emitAttach(b, cover, mount)
  b.place(done)
}
