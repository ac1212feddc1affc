/** Bind mounts: a detached copy of the source, its attributes set before anybody sees it (open_tree(2)). */
import type { Mount } from '../../oci/runtime-config.ts'
import type { Slot } from '../instruction.ts'
import type { PlanBuilder } from '../plan-builder.ts'
import { bindAttributes } from './bind-attributes.ts'
import type { CreateContext } from './create-context.ts'
import type { AttributeChange, MountOptions } from './mount-options.ts'
import { emitOpenSource } from './mount-sources.ts'
import { destinationOf, emitRequireProc, type MountRoot, openMountTarget } from './mount-target.ts'
import { fileTypeOf } from './path-in-root.ts'
import { emitAttach, emitSetAttributes } from './rootfs.ts'

export function emitBind(
  c: CreateContext,
  root: MountRoot,
  mount: Mount,
  index: number,
  options: MountOptions,
): void {
  const { b } = c
  const tree = emitOpenSource(c, mount, index, options)
  if (destinationOf(c, mount).join('/') === 'proc') emitRequireProc(b, tree)
  emitBindAttributes(b, tree, mount)
  emitRecursive(b, tree, options)
  // The type of a bind mount means nothing.
  const target = openMountTarget(c, root, { ...mount, type: 'bind' }, fileTypeOf(b, tree))
  emitAttach(b, tree, target)
  emitPropagation(b, tree, options)
  for (const fd of [tree, target]) b.run('close', [fd])
}

function emitBindAttributes(b: PlanBuilder, tree: Slot, mount: Mount): void {
  const change = bindAttributes(mount.options ?? [])
  if (change === undefined) return
  emitSetAttributes(b, tree, change.asked, false)
  if (change.unnamed === 0) return
  emitSetAttributes(b, tree, { clear: change.unnamed }, false, ['EPERM'])
}

/** Sets and clears what `options` name, of the mount and of all below it; what they do not name stays. */
export function emitAttributes(b: PlanBuilder, mount: Slot, options: MountOptions): void {
  emitChange(b, mount, options.own, false)
  emitRecursive(b, mount, options)
}

function emitRecursive(b: PlanBuilder, mount: Slot, options: MountOptions): void {
  emitChange(b, mount, options.recursive, true)
}

function emitChange(
  b: PlanBuilder,
  mount: Slot,
  change: AttributeChange,
  recursive: boolean,
): void {
  if (change.set !== 0 || change.clear !== 0) emitSetAttributes(b, mount, change, recursive)
}

export function emitPropagation(b: PlanBuilder, mount: Slot, options: MountOptions): void {
  for (const { type, recursive } of options.propagation)
    emitSetAttributes(b, mount, { propagation: type }, recursive)
}
