/** The option `remount`: changes what is mounted already (mount_setattr(2), fspick(2)). */
import {
  FSCONFIG_CMD_RECONFIGURE,
  FSPICK_CLOEXEC,
  FSPICK_EMPTY_PATH,
  MOUNT_ATTR_RDONLY,
} from '../../linux/mount-flags.ts'
import { O_CLOEXEC, O_PATH } from '../../linux/open-flags.ts'
import type { Mount } from '../../oci/runtime-config.ts'
import { emitAttributes, emitPropagation } from './bind-mounts.ts'
import type { CreateContext } from './create-context.ts'
import { openBelow } from './kernel-structs.ts'
import { isBind, type MountOptions } from './mount-options.ts'
import { destinationOf, type MountRoot } from './mount-target.ts'
import { emitFilesystemOptions, emitFlag, isVirtual } from './new-filesystem.ts'
import { IN_ROOT } from './path-in-root.ts'

/**
 * Changes the attributes that `options` name and no others, as mount(8) does; without `bind` also
 * the file system's own options.
 */
export function emitRemount(
  c: CreateContext,
  root: MountRoot,
  mount: Mount,
  options: MountOptions,
): void {
  const { b } = c
  const path = destinationOf(c, mount).join('/') || '.'
  const target = openBelow(b, root.fd, path, { flags: O_PATH | O_CLOEXEC, resolve: IN_ROOT })
  const flag = isVirtual(mount) ? undefined : superblockFlag(options)
  if (!isBind(mount, options) && (flag !== undefined || options.filesystem.length > 0)) {
    const context = b.sys('fspick', [target, b.string(''), FSPICK_CLOEXEC | FSPICK_EMPTY_PATH])
    if (flag !== undefined) emitFlag(b, context, flag)
    emitFilesystemOptions(b, context, options)
    b.run('fsconfig', [context, FSCONFIG_CMD_RECONFIGURE, 0, 0, 0])
    b.run('close', [context])
  }
  emitAttributes(b, target, options)
  emitPropagation(b, target, options)
  b.run('close', [target])
}

function superblockFlag({ own }: MountOptions): 'ro' | 'rw' | undefined {
  if ((own.set & MOUNT_ATTR_RDONLY) !== 0) return 'ro'
  return (own.clear & MOUNT_ATTR_RDONLY) === 0 ? undefined : 'rw'
}
