/** Mounts of new file systems. */
import { S_IFDIR } from '../../linux/open-flags.ts'
import type { Mount } from '../../oci/runtime-config.ts'
import type { DataRef, Slot } from '../instruction.ts'
import type { PlanBuilder } from '../plan-builder.ts'
import { emitPropagation } from './bind-mounts.ts'
import type { CreateContext } from './create-context.ts'
import type { MountOptions } from './mount-options.ts'
import { type MountRoot, openMountTarget } from './mount-target.ts'
import { emitNewFilesystem, isLateReadonly, isReadonly } from './new-filesystem.ts'
import { modeOf } from './path-in-root.ts'
import { emitAttach } from './rootfs.ts'
import { emitCopyUp } from './tmpfs-copy-up.ts'

export function emitFilesystem(
  c: CreateContext,
  root: MountRoot,
  mount: Mount,
  index: number,
  options: MountOptions,
): void {
  const { b } = c
  const copy = c.copyUpTrees.get(index)
  const mode = inheritsMode(mount, options) ? b.bytes(Buffer.from('1777\0')) : undefined
  const target = openMountTarget(c, root, mount, S_IFDIR, (found) => {
    if (copy !== undefined) emitCopyUp(c, found, copy, options)
    else if (mode !== undefined) emitOctal(b, modeOf(b, found), mode)
  })
  const tree = copy ?? emitNewFilesystem(c, mount, options, mode)
  emitAttach(b, tree, target)
  emitPropagation(b, tree, options)
  b.run('close', [target])
  if (isLateReadonly(c, mount) && isReadonly(options)) c.lateReadonly.push(tree)
  else b.run('close', [tree])
}

// A tmpfs has the mode of the directory that it covers; on one that is made for it, the kernel's own.
function inheritsMode(mount: Mount, options: MountOptions): boolean {
  return mount.type === 'tmpfs' && !options.filesystem.some(([key]) => key === 'mode')
}

/** Writes the low twelve bits of `mode` as four octal digits. */
function emitOctal(b: PlanBuilder, mode: Slot, into: DataRef): void {
  for (const [i, shift] of [9, 6, 3, 0].entries()) {
    const digit = b.compute(b.compute(mode, 'shr', shift), 'and', 7)
    b.store(1, into, i, b.compute(digit, 'add', '0'.charCodeAt(0)))
  }
}
