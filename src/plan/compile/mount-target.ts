/** Where a mount goes: a descriptor inside the root, never the root itself, and not just anywhere in /proc. */
import { AT_EMPTY_PATH, RESOLVE_NO_SYMLINKS, S_IFDIR } from '../../linux/open-flags.ts'
import type { Mount } from '../../oci/runtime-config.ts'
import type { Operand, Slot } from '../instruction.ts'
import type { PlanBuilder } from '../plan-builder.ts'
import type { CreateContext } from './create-context.ts'
import { componentsOf, IN_ROOT, openOrMake } from './path-in-root.ts'

const EPERM = 1
const EBUSY = 16
const PROC_SUPER_MAGIC = 0x9fa0 // linux/magic.h

// A hostile image must not lead these elsewhere by a symlink (CVE-2019-19921).
const NEEDS_REAL_DIRECTORY = new Set(['proc', 'sysfs'])

// What lxcfs and the like show instead of the host's values; all else in /proc is the kernel's own,
// and programs trust it (CVE-2019-16884).
const MOUNTABLE_IN_PROC = new Set([
  'proc/cpuinfo',
  'proc/diskstats',
  'proc/loadavg',
  'proc/meminfo',
  'proc/slabinfo',
  'proc/stat',
  'proc/swaps',
  'proc/uptime',
  'proc/sys/crypto/fips_enabled',
  'proc/sys/kernel/ns_last_pid',
])

/** The container's root, and what tells it from other directories. */
export interface MountRoot {
  readonly fd: Slot
  readonly identity: Identity
}

interface Identity {
  readonly mount: Slot
  readonly inode: Slot
}

export function mountRoot(b: PlanBuilder, fd: Slot): MountRoot {
  return { fd, identity: identityOf(b, fd) }
}

/** The components of the destination of `mount`; one that starts with the root filesystem's path is below it. */
export function destinationOf(c: Pick<CreateContext, 'rootfs'>, mount: Mount): readonly string[] {
  const components = componentsOf(mount.destination)
  const prefix = componentsOf(c.rootfs)
  const isBelow = prefix.length > 0 && prefix.every((name, i) => components[i] === name)
  return isBelow ? components.slice(prefix.length) : components
}

/**
 * Opens the destination of `mount` and makes it where it is missing: a directory, or an empty file
 * when the slot `fileType` (S_IFMT bits) says so. `whenFound` emits what is done with one that was there.
 */
export function openMountTarget(
  c: CreateContext,
  root: MountRoot,
  mount: Mount,
  fileType: number | Slot = S_IFDIR,
  whenFound: (target: Slot) => void = () => undefined,
): Slot {
  const { b } = c
  const isReal = NEEDS_REAL_DIRECTORY.has(mount.type ?? '')
  const path = destinationOf(c, mount).join('/')
  // The check below goes by what config.json says: no link may choose a place in /proc.
  const behindLinks = isReal ? undefined : c.danglingLinks[`/${path}`]
  return openOrMake(b, root.fd, behindLinks ?? `/${path}`, fileType, {
    resolve: isReal ? IN_ROOT | RESOLVE_NO_SYMLINKS : IN_ROOT,
    whenFound(target) {
      emitRefuseRoot(b, root, target)
      if (path !== 'proc' && !MOUNTABLE_IN_PROC.has(path)) emitRefuseProc(b, target)
      whenFound(target)
    },
  })
}

// By a symbolic link, that is: config.json cannot say "/". What is mounted on the root is above it,
// and nobody would ever see it.
function emitRefuseRoot(b: PlanBuilder, root: MountRoot, target: Slot): void {
  const fine = b.label()
  const { mount, inode } = identityOf(b, target)
  b.branch(mount, 'ne', root.identity.mount, fine)
  b.branch(inode, 'ne', root.identity.inode, fine)
  b.fail(EBUSY, 'the destination is the root of the container')
  b.place(fine)
}

function emitRefuseProc(b: PlanBuilder, target: Slot): void {
  const fine = b.label()
  b.branch(filesystemMagic(b, target), 'ne', PROC_SUPER_MAGIC, fine)
  b.fail(EPERM, 'a mount inside /proc')
  b.place(fine)
}

/** Fails unless the detached mount `tree` is a procfs. */
export function emitRequireProc(b: PlanBuilder, tree: Slot): void {
  const fine = b.label()
  b.branch(filesystemMagic(b, tree), 'eq', PROC_SUPER_MAGIC, fine)
  b.fail(EPERM, 'a mount on /proc that is not of type proc')
  b.place(fine)
}

function filesystemMagic(b: PlanBuilder, fd: Operand): Slot {
  const statfs = b.zeros(120) // struct statfs of 64-bit: f_type first
  b.run('fstatfs', [fd, statfs])
  return b.load(8, statfs)
}

function identityOf(b: PlanBuilder, fd: Operand): Identity {
  const STATX_INO = 0x100
  const STATX_MNT_ID = 0x1000 // 5.8
  const buffer = b.zeros(256)
  b.run('statx', [fd, b.string(''), AT_EMPTY_PATH, STATX_INO | STATX_MNT_ID, buffer])
  return { mount: b.load(8, buffer, 144), inode: b.load(8, buffer, 32) }
}
