/** Device nodes and the standard links of /dev (runtime-spec config-linux.md "Default Devices"). */
import {
  AT_FDCWD,
  O_CLOEXEC,
  O_PATH,
  RESOLVE_BENEATH,
  RESOLVE_NO_SYMLINKS,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFREG,
} from '../../linux/open-flags.ts'
import type { Device } from '../../oci/runtime-config.ts'
import type { Slot } from '../instruction.ts'
import type { PlanBuilder } from '../plan-builder.ts'
import type { CreateContext } from './create-context.ts'
import { openBelow } from './kernel-structs.ts'
import { emitNullStreams } from './null-streams.ts'
import {
  componentsOf,
  emitCheckDevice,
  fileTypeOf,
  IN_ROOT,
  openExisting,
  openOrMake,
} from './path-in-root.ts'
import { emitAttach, emitCloneTree } from './rootfs.ts'

const DEFAULT_DEVICES: readonly Device[] = [
  { path: '/dev/null', type: 'c', major: 1, minor: 3, fileMode: 0o666 },
  { path: '/dev/zero', type: 'c', major: 1, minor: 5, fileMode: 0o666 },
  { path: '/dev/full', type: 'c', major: 1, minor: 7, fileMode: 0o666 },
  { path: '/dev/random', type: 'c', major: 1, minor: 8, fileMode: 0o666 },
  { path: '/dev/urandom', type: 'c', major: 1, minor: 9, fileMode: 0o666 },
  { path: '/dev/tty', type: 'c', major: 5, minor: 0, fileMode: 0o666 },
]

/** Every container has these. */
export const DEFAULT_DEVICE_PATHS: readonly string[] = DEFAULT_DEVICES.map(({ path }) => path)

const LINKS: readonly (readonly [string, string])[] = [
  ['fd', '/proc/self/fd'],
  ['stdin', '/proc/self/fd/0'],
  ['stdout', '/proc/self/fd/1'],
  ['stderr', '/proc/self/fd/2'],
  ['ptmx', 'pts/ptmx'],
]

const FILE_TYPES: Readonly<Record<string, number>> = {
  c: S_IFCHR,
  u: S_IFCHR,
  b: S_IFBLK,
  p: S_IFIFO,
}

/** linux/kdev_t.h new_encode_dev: what mknod(2) takes. */
export function encodeDevice(major: number, minor: number): number {
  return (minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)
}

/**
 * Fills /dev. It is opened once, as a real directory: an image may ship /dev as a symlink
 * (CVE-2026-41579, CVE-2026-47766).
 */
export function emitDevices(c: CreateContext, root: Slot): void {
  const { b } = c
  const dev = b.at('/linux/devices', () =>
    openOrMake(b, root, 'dev', S_IFDIR, { resolve: IN_ROOT | RESOLVE_NO_SYMLINKS }),
  )
  const configured = c.config.linux?.devices ?? []
  const paths = new Set(configured.map(({ path }) => componentsOf(path).join('/')))
  for (const device of DEFAULT_DEVICES) {
    if (paths.has(componentsOf(device.path).join('/'))) continue
    b.at('default devices', () => emitDevice(c, root, dev, device, false))
  }
  configured.forEach((device, i) => {
    b.at(`/linux/devices/${i}`, () => emitDevice(c, root, dev, device, true))
  })
  b.at('default links', () => emitLinks(b, root, dev))
  b.at('standard streams', () => emitNullStreams(c, dev))
}

function emitLinks(b: PlanBuilder, root: Slot, dev: Slot): void {
  // The image's own would lead to the host's terminals.
  b.run('unlinkat', [dev, b.string('ptmx'), 0], { tolerate: ['ENOENT', 'EROFS'] })
  const link = (name: string, to: string): void =>
    b.run('symlinkat', [b.string(to), dev, b.string(name)], { tolerate: ['EEXIST'] })
  for (const [name, to] of LINKS) link(name, to)
  const none = b.label()
  b.branch(openExisting(b, root, 'proc/kcore'), 'lt', 0, none)
  link('core', '/proc/kcore')
  b.place(none)
}

function emitDevice(
  c: CreateContext,
  root: Slot,
  dev: Slot,
  device: Device,
  isConfigured: boolean,
): void {
  const components = componentsOf(device.path)
  const name = components[components.length - 1] ?? ''
  // A link to the container's own devpts, always.
  if (components.join('/') === 'dev/ptmx') return
  const mayMake = !c.inUserNamespace && c.options.features.makesDevices
  if (!mayMake && device.type !== 'p') {
    emitBoundDevice(c.b, root, device)
    return
  }
  const parent =
    components.length === 2 && components[0] === 'dev'
      ? dev
      : openOrMake(c.b, root, components.slice(0, -1).join('/'), S_IFDIR)
  emitNode(c.b, { parent, name, isConfigured }, device)
}

interface DevicePlace {
  readonly parent: Slot
  readonly name: string
  /** config.json names it. */
  readonly isConfigured: boolean
}

function emitNode(
  b: PlanBuilder,
  { parent, name, isConfigured }: DevicePlace,
  device: Device,
): void {
  // The rest may be file type bits, of st_mode or of Go.
  const mode = fileTypeNumber(device) | ((device.fileMode ?? 0o666) & 0o7777)
  const number = encodeDevice(device.major ?? 0, device.minor ?? 0)
  const made = b.sys('mknodat', [parent, b.string(name), mode, number], {
    tolerate: ['EEXIST'],
    note: device.path,
  })
  const exists = b.label()
  const done = b.label()
  b.branch(made, 'lt', 0, exists)
  const AT_SYMLINK_NOFOLLOW = 0x100
  b.run('fchownat', [parent, b.string(name), device.uid ?? 0, device.gid ?? 0, AT_SYMLINK_NOFOLLOW])
  if (isConfigured) b.jump(done)
  b.place(exists)
  // "If a file already exists at path that does not match the requested device, the runtime MUST
  // generate an error" (config-linux.md). What stands in for a default device is the image's business.
  if (isConfigured) {
    const how = { flags: O_PATH | O_CLOEXEC, resolve: RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS }
    emitCheckNode(b, openBelow(b, parent, name, how), device)
  }
  b.place(done)
}

function fileTypeNumber({ type }: Device): number {
  return FILE_TYPES[type] ?? S_IFCHR
}

// Without CAP_MKNOD of the host's user namespace (mknod(2) EPERM) the host's node is bound. udev
// lists them by number; else it must be at the same path. This runs before pivot_root, where paths
// still mean the host's.
function emitBoundDevice(b: PlanBuilder, root: Slot, device: Device): void {
  const { type, path, major = 0, minor = 0 } = device
  const listed = `/dev/${type === 'b' ? 'block' : 'char'}/${major}:${minor}`
  const opened = b.label()
  const source = b.sys('openat', [AT_FDCWD, b.string(listed), O_PATH | O_CLOEXEC, 0], {
    tolerate: ['ENOENT', 'ENOTDIR'],
  })
  b.branch(source, 'ge', 0, opened)
  b.sys('openat', [AT_FDCWD, b.string(path), O_PATH | O_CLOEXEC, 0], {
    into: source,
    note: `host device ${path}`,
  })
  b.place(opened)
  emitCheckNode(b, source, device)
  const tree = emitCloneTree(b, source, false)
  const target = openOrMake(b, root, path, S_IFREG)
  emitAttach(b, tree, target)
  for (const fd of [source, tree, target]) b.run('close', [fd])
}

// What is at a path must be what the config asked for, not just of the same name.
function emitCheckNode(b: PlanBuilder, source: Slot, device: Device): void {
  const ENODEV = 19
  const right = b.label()
  b.branch(fileTypeOf(b, source), 'eq', fileTypeNumber(device), right)
  b.fail(ENODEV, `${device.path} is another kind of file`)
  b.place(right)
  if (device.type !== 'p') emitCheckDevice(b, source, device.major ?? 0, device.minor ?? 0)
}

/** Whether the image brings its own /dev/console: only then is it left alone. */
export function openConsoleTarget(b: PlanBuilder, root: Slot): Slot {
  return openOrMake(b, root, 'dev/console', S_IFREG, { resolve: IN_ROOT | RESOLVE_NO_SYMLINKS })
}
