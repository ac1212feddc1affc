/** The mounts of config.json, in its order, by descriptor only (fsopen(2), open_tree(2), move_mount(2)). */
import { TsrunError } from '../../errors.ts'
import {
  FSCONFIG_CMD_CREATE,
  FSCONFIG_SET_FLAG,
  FSCONFIG_SET_STRING,
  FSMOUNT_CLOEXEC,
  FSOPEN_CLOEXEC,
  MOUNT_ATTR_RDONLY,
} from '../../linux/mount-flags.ts'
import { RESOLVE_NO_SYMLINKS, S_IFDIR } from '../../linux/open-flags.ts'
import type { Mount } from '../../oci/runtime-config.ts'
import type { Slot } from '../instruction.ts'
import type { PlanBuilder } from '../plan-builder.ts'
import { type CreateContext, hasNamespace } from './create-context.ts'
import { isBind, type MountOptions, parseMountOptions } from './mount-options.ts'
import { emitOpenSource } from './mount-sources.ts'
import { componentsOf, fileTypeOf, IN_ROOT, openOrMake } from './path-in-root.ts'
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

// A hostile image must not lead these elsewhere by a symlink (CVE-2019-19921).
const NEEDS_REAL_DIRECTORY = new Set(['proc', 'sysfs'])

const FSCONFIG_VALUE_MAX = 255 // fsconfig(2): a string value is at most 256 bytes with its NUL

/** Emits every mount; returns nothing, collects what becomes read-only late. */
export function emitMounts(c: CreateContext, root: Slot): void {
  ;(c.config.mounts ?? []).forEach((mount, index) => {
    c.b.at(`/mounts/${index}`, () => emitMount(c, root, mount, index))
  })
}

function emitMount(c: CreateContext, root: Slot, mount: Mount, index: number): void {
  const options = parseMountOptions(mount.options ?? [])
  refuseUnsupported(mount, options, index)
  if (isBind(mount, options)) emitBind(c, root, mount, options)
  else emitFilesystem(c, root, mount, options)
}

function refuseUnsupported(mount: Mount, options: MountOptions, index: number): void {
  const option = options.unsupported[0]
  if (option !== undefined) {
    throw new TsrunError(
      'not-implemented',
      `unsupported: mounts[${index}].options "${option}" (${mount.destination})`,
    )
  }
  if ((mount.uidMappings ?? mount.gidMappings) !== undefined) {
    throw new TsrunError(
      'not-implemented',
      `unsupported: mounts[${index}].uidMappings (${mount.destination})`,
    )
  }
}

function emitBind(c: CreateContext, root: Slot, mount: Mount, options: MountOptions): void {
  const { b } = c
  const tree = emitOpenSource(c, mount, options)
  emitOwnAttributes(c, tree, options)
  const target = openOrMake(b, root, mount.destination, fileTypeOf(b, tree))
  emitAttach(b, tree, target)
  emitPropagation(b, tree, options)
}

function emitOwnAttributes(c: CreateContext, mount: Slot, options: MountOptions): void {
  for (const [change, recursive] of [
    [options.own, false],
    [options.recursive, true],
  ] as const) {
    if (change.set === 0 && change.clear === 0) continue
    emitSetAttributes(c.b, mount, { set: change.set, clear: change.clear }, recursive)
  }
}

function emitPropagation(b: PlanBuilder, mount: Slot, options: MountOptions): void {
  for (const { type, recursive } of options.propagation)
    emitSetAttributes(b, mount, { propagation: type }, recursive)
}

function emitFilesystem(c: CreateContext, root: Slot, mount: Mount, options: MountOptions): void {
  const { b } = c
  const type = mount.type === 'cgroup' ? 'cgroup2' : (mount.type ?? '')
  const late = isLateReadonly(mount)
  const attributes = late ? options.own.set & ~MOUNT_ATTR_RDONLY : options.own.set
  const context = b.sys('fsopen', [b.string(type), FSOPEN_CLOEXEC], { note: type })
  emitParameters(b, context, mount, options)
  b.run('fsconfig', [context, FSCONFIG_CMD_CREATE, 0, 0, 0], { note: `create ${type}` })
  const tree = b.sys('fsmount', [context, FSMOUNT_CLOEXEC, attributes], { note: type })
  b.run('close', [context])
  if (options.recursive.set !== 0) emitSetAttributes(b, tree, options.recursive, true)
  const resolve = NEEDS_REAL_DIRECTORY.has(type) ? IN_ROOT | RESOLVE_NO_SYMLINKS : IN_ROOT
  const target = openOrMake(b, root, mount.destination, S_IFDIR, resolve)
  emitAttach(b, tree, target)
  emitPropagation(b, tree, options)
  if (late && (options.own.set & MOUNT_ATTR_RDONLY) !== 0) c.lateReadonly.push(tree)
}

// Devices and later mount points are still made in these.
function isLateReadonly(mount: Mount): boolean {
  return mount.type === 'tmpfs' || componentsOf(mount.destination).join('/') === 'dev'
}

function emitParameters(b: PlanBuilder, context: Slot, mount: Mount, options: MountOptions): void {
  if (mount.source !== undefined && mount.source !== '') {
    b.run('fsconfig', [context, FSCONFIG_SET_STRING, b.string('source'), b.string(mount.source), 0])
  }
  // cgroup2 takes no options of cgroup v1 callers; its own are the host's to choose.
  if (mount.type === 'cgroup') return
  if ((options.own.set & MOUNT_ATTR_RDONLY) !== 0 && !VIRTUAL.has(mount.type ?? '')) {
    b.run('fsconfig', [context, FSCONFIG_SET_FLAG, b.string('ro'), 0, 0])
  }
  for (const [key, value] of options.filesystem.flatMap(splitLongLayers)) {
    if (value === undefined)
      b.run('fsconfig', [context, FSCONFIG_SET_FLAG, b.string(key), 0, 0], { note: key })
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

/** Whether tsrun fills /dev: not when the config binds one there. */
export function ownsDev(c: CreateContext): boolean {
  return !(c.config.mounts ?? []).some(
    (mount) =>
      componentsOf(mount.destination).join('/') === 'dev' &&
      isBind(mount, parseMountOptions(mount.options ?? [])),
  )
}

/** Whether the container has a mount namespace to mount in. */
export function requireMountNamespace(c: CreateContext): void {
  if (hasNamespace(c.config, 'mount', 'any')) return
  throw new TsrunError(
    'not-implemented',
    'unsupported: a container without a mount namespace in linux.namespaces',
  )
}
