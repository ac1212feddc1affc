/** A new file system: configured and mounted, detached (fsopen(2), fsconfig(2), fsmount(2)). */

import { TsrunError } from '../../errors.ts'
import {
  FSCONFIG_CMD_CREATE,
  FSCONFIG_SET_FLAG,
  FSCONFIG_SET_STRING,
  FSMOUNT_CLOEXEC,
  FSOPEN_CLOEXEC,
  MOUNT_ATTR_RDONLY,
} from '../../linux/mount-flags.ts'
import type { Mount } from '../../oci/runtime-config.ts'
import type { DataRef, Slot } from '../instruction.ts'
import type { PlanBuilder } from '../plan-builder.ts'
import type { CreateContext } from './create-context.ts'
import { emitMountLabel, emitQueueLabel } from './lsm-label.ts'
import type { MountOptions } from './mount-options.ts'
import { destinationOf } from './mount-target.ts'
import { emitSetAttributes } from './rootfs.ts'

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

/** A detached mount of a new file system; `mode` is the text of that option. */
export function emitNewFilesystem(
  c: CreateContext,
  mount: Mount,
  options: MountOptions,
  mode?: DataRef,
): Slot {
  const { b } = c
  const type = mount.type === 'cgroup' ? 'cgroup2' : (mount.type ?? '')
  const context = b.sys('fsopen', [b.string(type), FSOPEN_CLOEXEC], { note: type })
  emitSource(b, context, mount)
  if (mode !== undefined)
    b.run('fsconfig', [context, FSCONFIG_SET_STRING, b.string('mode'), mode, 0])
  emitParameters(b, context, mount, options)
  emitMountLabel(c, context, mount)
  b.run('fsconfig', [context, FSCONFIG_CMD_CREATE, 0, 0, 0], { note: `create ${type}` })
  const late = isLateReadonly(c, mount) ? MOUNT_ATTR_RDONLY : 0
  const attributes = options.own.set & ~late
  const tree = b.sys('fsmount', [context, FSMOUNT_CLOEXEC, attributes], { note: type })
  b.run('close', [context])
  emitQueueLabel(c, tree, mount)
  if (options.recursive.set !== 0) emitSetAttributes(b, tree, options.recursive, true)
  return tree
}

export function isReadonly({ own }: MountOptions): boolean {
  return (own.set & MOUNT_ATTR_RDONLY) !== 0
}

// Devices and later mount points are still made in these.
export function isLateReadonly(c: CreateContext, mount: Mount): boolean {
  return mount.type === 'tmpfs' || destinationOf(c, mount).join('/') === 'dev'
}

function emitSource(b: PlanBuilder, context: Slot, mount: Mount): void {
  if (mount.source === undefined || mount.source === '') return
  b.run('fsconfig', [context, FSCONFIG_SET_STRING, b.string('source'), b.string(mount.source), 0])
}

function emitParameters(b: PlanBuilder, context: Slot, mount: Mount, options: MountOptions): void {
  // cgroup2 takes no options of cgroup v1 callers; its own are the host's to choose.
  if (mount.type === 'cgroup') return
  if (isReadonly(options) && !isVirtual(mount)) emitFlag(b, context, 'ro')
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

// overlay: many layers do not fit one value; `lowerdir+` (6.5) takes them one by one. A colon in a path
// is escaped in the list and not alone (overlayfs.rst).
function splitLongLayers(
  option: readonly [string, string | undefined],
): readonly (readonly [string, string | undefined])[] {
  const [key, value] = option
  if (value === undefined || fits(value)) return [option]
  if (key !== 'lowerdir') refuseLong(key)
  const layers = value.split(/(?<!\\):/).map((layer) => layer.replaceAll('\\:', ':'))
  if (!layers.every(fits)) refuseLong(key)
  return layers.map((layer) => ['lowerdir+', layer] as const)
}

function fits(value: string): boolean {
  return Buffer.byteLength(value) <= FSCONFIG_VALUE_MAX
}

function refuseLong(key: string): never {
  throw new TsrunError(
    'invalid-argument',
    `cannot mount a file system with the option ${key}: its value is longer than ${FSCONFIG_VALUE_MAX} bytes`,
    {
      hint: 'fsconfig(2) takes no longer ones: give a shorter path, for example by a symbolic link',
    },
  )
}
