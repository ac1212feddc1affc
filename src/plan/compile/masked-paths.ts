/** linux.maskedPaths and linux.readonlyPaths: each resolved once, to a descriptor (CVE-2025-31133). */
import { MOUNT_ATTR_RDONLY } from '../../linux/mount-flags.ts'
import { AT_FDCWD, O_CLOEXEC, O_PATH, S_IFDIR } from '../../linux/open-flags.ts'
import type { Slot } from '../instruction.ts'
import type { PlanBuilder } from '../plan-builder.ts'
import type { CreateContext } from './create-context.ts'
import { emitCheckDevice, fileTypeOf, openExisting } from './path-in-root.ts'
import { emitAttach, emitCloneTree, emitEmptyDirectory, emitSetAttributes } from './rootfs.ts'

/** Hides files under the host's own /dev/null and directories under one empty read-only tmpfs. */
export function emitMaskedPaths(c: CreateContext, root: Slot): void {
  const paths = c.config.linux?.maskedPaths ?? []
  if (paths.length === 0) return
  const { b } = c
  const nullDevice = b.at('/linux/maskedPaths', () => openHostNull(b))
  const tmpfs = b.slot('empty directory')
  const seen = new Set<string>()
  paths.forEach((path, i) => {
    if (seen.has(path)) return
    seen.add(path)
    b.at(`/linux/maskedPaths/${i}`, () => emitMask(c, root, path, nullDevice, tmpfs))
  })
}

// Before pivot_root, and checked by number: the container's /dev/null may be anything.
function openHostNull(b: PlanBuilder): Slot {
  const fd = b.sys('openat', [AT_FDCWD, b.string('/dev/null'), O_PATH | O_CLOEXEC, 0])
  emitCheckDevice(b, fd, 1, 3)
  return fd
}

function emitMask(c: CreateContext, root: Slot, path: string, nullDevice: Slot, tmpfs: Slot): void {
  const { b } = c
  const skip = b.label()
  const file = b.label()
  const done = b.label()
  const target = openExisting(b, root, path)
  b.branch(target, 'lt', 0, skip)
  b.branch(fileTypeOf(b, target), 'ne', S_IFDIR, file)
  emitMaskDirectory(c, target, tmpfs)
  b.jump(done)
  b.place(file)
  emitAttachCopy(b, nullDevice, target)
  b.place(done)
  b.run('close', [target])
  b.place(skip)
}

// The first masked directory gets the tmpfs itself, the next ones copies of that mount: before
// 6.15 open_tree(2) clones attached mounts only.
function emitMaskDirectory(c: CreateContext, target: Slot, tmpfs: Slot): void {
  const { b } = c
  const first = b.label()
  const done = b.label()
  b.branch(tmpfs, 'lt', 0, first)
  emitAttachCopy(b, tmpfs, target)
  b.jump(done)
  b.place(first)
  emitEmptyDirectory(c, tmpfs)
  emitAttach(b, tmpfs, target)
  b.place(done)
}

function emitAttachCopy(b: PlanBuilder, mount: Slot, target: Slot): void {
  const copy = emitCloneTree(b, mount, false)
  emitAttach(b, copy, target)
  b.run('close', [copy])
}

/** Binds each path onto itself, read-only. */
export function emitReadonlyPaths(c: CreateContext, root: Slot): void {
  const { b } = c
  ;(c.config.linux?.readonlyPaths ?? []).forEach((path, i) => {
    b.at(`/linux/readonlyPaths/${i}`, () => {
      const skip = b.label()
      const target = openExisting(b, root, path)
      b.branch(target, 'lt', 0, skip)
      const tree = emitCloneTree(b, target, true)
      emitSetAttributes(b, tree, { set: MOUNT_ATTR_RDONLY }, false)
      emitAttach(b, tree, target)
      for (const fd of [tree, target]) b.run('close', [fd])
      b.place(skip)
    })
  })
}
