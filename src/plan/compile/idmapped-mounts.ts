/**
 * Mounts with mapped ids (mount_setattr(2) MOUNT_ATTR_IDMAP): the kernel takes the mapping from a user
 * namespace, which a short-lived child makes and keeps until its descriptor is here.
 */
import { MOUNT_ATTR_IDMAP } from '../../linux/mount-flags.ts'
import { CLONE_NEWUSER } from '../../linux/namespaces.ts'
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_RECURSIVE,
  O_CLOEXEC,
  O_PATH,
  O_RDONLY,
  O_WRONLY,
} from '../../linux/open-flags.ts'
import type { IdMapping } from '../../oci/runtime-config.ts'
import type { Slot } from '../instruction.ts'
import type { PlanBuilder } from '../plan-builder.ts'
import type { CreateContext } from './create-context.ts'
import {
  emitAwaitHelper,
  emitHelperProcess,
  emitReceive,
  emitReceiveDescriptor,
  emitSendDescriptor,
} from './helper-process.ts'
import { type MountIdMapping, mountIdMapping } from './id-mapping-option.ts'
import { MOUNT_ATTR_SIZE } from './kernel-structs.ts'

/** What maps the ids of one mount. */
export interface IdMap {
  /** A user namespace with the mapping. */
  readonly namespace: Slot
  /** The mounts below too (`ridmap`). */
  readonly recursive: boolean
}

/** Makes the user namespaces that the mounts need, equal ones once: mount index → its map. */
export function emitMountIdMaps(c: CreateContext): ReadonlyMap<number, IdMap> {
  const maps = new Map<number, IdMap>()
  const made = new Map<string, Slot>()
  ;(c.config.mounts ?? []).forEach((mount, index) => {
    const mapping = mountIdMapping(c.config, mount)
    if (mapping === undefined) return
    const { recursive, ...wanted } = mapping
    const key = JSON.stringify(wanted)
    const namespace = made.get(key) ?? c.b.at(`/mounts/${index}`, () => emitNamespace(c.b, mapping))
    made.set(key, namespace)
    maps.set(index, { namespace, recursive })
  })
  return maps
}

function emitNamespace(b: PlanBuilder, mapping: MountIdMapping): Slot {
  if ('path' in mapping)
    return b.sys('openat', [AT_FDCWD, b.string(mapping.path), O_RDONLY | O_CLOEXEC, 0])
  const helper = emitHelperProcess(b, (socket) => emitChild(b, socket))
  const process = emitReceiveDescriptor(b, helper.socket)
  const namespace = emitReceiveDescriptor(b, helper.socket)
  emitWriteMap(b, process, 'uid_map', mapping.uids)
  emitWriteMap(b, process, 'gid_map', mapping.gids)
  b.run('close', [process])
  emitAwaitHelper(b, helper)
  return namespace
}

// Hands over its own /proc entry, whose map only the parent has the right to write, and its
// namespace; then keeps that alive until the parent closes its end.
function emitChild(b: PlanBuilder, socket: Slot): void {
  b.run('unshare', [CLONE_NEWUSER], { note: 'user namespace of an id mapped mount' })
  for (const [path, flags] of [
    ['/proc/self', O_PATH | O_CLOEXEC],
    ['/proc/self/ns/user', O_RDONLY | O_CLOEXEC],
  ] as const) {
    emitSendDescriptor(b, socket, 'm', b.sys('openat', [AT_FDCWD, b.string(path), flags, 0]))
  }
  emitReceive(b, socket)
}

function emitWriteMap(
  b: PlanBuilder,
  process: Slot,
  file: string,
  mappings: readonly IdMapping[],
): void {
  const lines = mappings.map(
    ({ containerID, hostID, size }) => `${containerID} ${hostID} ${size}\n`,
  )
  const text = b.string(lines.join(''))
  const fd = b.sys('openat', [process, b.string(file), O_WRONLY | O_CLOEXEC, 0])
  b.run('write', [fd, text, text.length - 1], { note: file })
  b.run('close', [fd])
}

/** Maps the ids of the detached mount `tree`: later kernels take no other kind. */
export function emitMapIds(b: PlanBuilder, tree: Slot, { namespace, recursive }: IdMap): void {
  // struct mount_attr: attr_set, attr_clr, propagation, userns_fd
  const attributes = b.words([MOUNT_ATTR_IDMAP, 0, 0, 0])
  b.store(8, attributes, 24, namespace)
  const flags = AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0)
  b.run('mount_setattr', [tree, b.string(''), flags, attributes, MOUNT_ATTR_SIZE], {
    note: 'MOUNT_ATTR_IDMAP',
  })
}
