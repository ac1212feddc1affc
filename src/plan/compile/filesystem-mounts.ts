/** New file systems: configured, mounted detached, then attached (fsopen(2), fsconfig(2), fsmount(2)). */
import {
  FSCONFIG_CMD_CREATE,
  FSCONFIG_SET_FLAG,
  FSCONFIG_SET_STRING,
  FSMOUNT_CLOEXEC,
  FSOPEN_CLOEXEC,
  MOUNT_ATTR_RDONLY,
} from '../../linux/mount-flags.ts'
import { S_IFDIR } from '../../linux/open-flags.ts'
import type { Mount } from '../../oci/runtime-config.ts'
import type { DataRef, Slot } from '../instruction.ts'
import type { PlanBuilder } from '../plan-builder.ts'
import { emitPropagation } from './bind-mounts.ts'
import type { CreateContext } from './create-context.ts'
import type { MountOptions } from './mount-options.ts'
import { destinationOf, type MountRoot, openMountTarget } from './mount-target.ts'
import { modeOf } from './path-in-root.ts'
import { emitAttach, emitSetAttributes } from './rootfs.ts'

// Their superblocks are shared or virtual: read-only is a property of the mount alone.
const VIRTUAL = new Set([
  'proc',
  'sysfs',
  'tmpfs',
  'devpts',
  'mqueue',
  'cgroup',
  'cgroup2',
  'ramfs',
  'bpf',
])

const FSCONFIG_VALUE_MAX = 255 // fsconfig(2): a string value is at most 256 bytes with its NUL

export function emitFilesystem(
  c: CreateContext,
  root: MountRoot,
  mount: Mount,
  options: MountOptions,
): void {
  const { b } = c
  const type = mount.type === 'cgroup' ? 'cgroup2' : (mount.type ?? '')
  const late = isLateReadonly(c, mount)
  const attributes = late ? options.own.set & ~MOUNT_ATTR_RDONLY : options.own.set
  const mode = inheritsMode(mount, options) ? b.bytes(Buffer.from('1777\0')) : undefined
  const target = openMountTarget(c, root, mount, S_IFDIR, (found) => {
    if (mode !== undefined) emitOctal(b, modeOf(b, found), mode)
  })
  const context = b.sys('fsopen', [b.string(type), FSOPEN_CLOEXEC], { note: type })
  emitSource(b, context, mount)
  if (mode !== undefined)
    b.run('fsconfig', [context, FSCONFIG_SET_STRING, b.string('mode'), mode, 0])
  emitParameters(b, context, mount, options)
  b.run('fsconfig', [context, FSCONFIG_CMD_CREATE, 0, 0, 0], { note: `create ${type}` })
  const tree = b.sys('fsmount', [context, FSMOUNT_CLOEXEC, attributes], { note: type })
  b.run('close', [context])
  if (options.recursive.set !== 0) emitSetAttributes(b, tree, options.recursive, true)
  emitAttach(b, tree, target)
  emitPropagation(b, tree, options)
  if (late && (options.own.set & MOUNT_ATTR_RDONLY) !== 0) c.lateReadonly.push(tree)
}

// Devices and later mount points are still made in these.
function isLateReadonly(c: CreateContext, mount: Mount): boolean {
  return mount.type === 'tmpfs' || destinationOf(c, mount).join('/') === 'dev'
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

function emitSource(b: PlanBuilder, context: Slot, mount: Mount): void {
  if (mount.source === undefined || mount.source === '') return
  b.run('fsconfig', [context, FSCONFIG_SET_STRING, b.string('source'), b.string(mount.source), 0])
}

function emitParameters(b: PlanBuilder, context: Slot, mount: Mount, options: MountOptions): void {
  // cgroup2 takes no options of cgroup v1 callers; its own are the host's to choose.
  if (mount.type === 'cgroup') return
  if ((options.own.set & MOUNT_ATTR_RDONLY) !== 0 && !isVirtual(mount)) emitFlag(b, context, 'ro')
  emitFilesystemOptions(b, context, options)
}

/** Whether read-only is a property of the mount of `mount` alone. */
export function isVirtual(mount: Mount): boolean {
  return VIRTUAL.has(mount.type ?? '')
}

export function emitFlag(b: PlanBuilder, context: Slot, flag: string): void {
  b.run('fsconfig', [context, FSCONFIG_SET_FLAG, b.string(flag), 0, 0], { note: flag })
}

/** The options that the file system itself reads. */
export function emitFilesystemOptions(
  b: PlanBuilder,
  context: Slot,
  { filesystem }: MountOptions,
): void {
  for (const [key, value] of filesystem.flatMap(splitLongLayers)) {
    if (value === undefined) emitFlag(b, context, key)
    else
      b.run('fsconfig', [context, FSCONFIG_SET_STRING, b.string(key), b.string(value), 0], {
        note: `${key}=${value}`,
      })
  }
}

// overlay: many layers do not fit one value; `lowerdir+` (6.5) takes them one by one.
function splitLongLayers(
  option: readonly [string, string | undefined],
): readonly (readonly [string, string | undefined])[] {
  const [key, value] = option
  if (key !== 'lowerdir' || value === undefined || value.length <= FSCONFIG_VALUE_MAX)
    return [option]
  return value.split(':').map((layer) => ['lowerdir+', layer] as const)
}
