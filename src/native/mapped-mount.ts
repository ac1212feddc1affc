/** A copy of a mount whose ids are mapped (mount_setattr(2) MOUNT_ATTR_IDMAP), for a while on the host. */
import { SyscallError } from '../errors.ts'
import { errnoName } from '../linux/errno.ts'
import {
  MOUNT_ATTR_IDMAP,
  MOVE_MOUNT_F_EMPTY_PATH,
  OPEN_TREE_CLOEXEC,
  OPEN_TREE_CLONE,
} from '../linux/mount-flags.ts'
import { AT_EMPTY_PATH, AT_FDCWD } from '../linux/open-flags.ts'
import { newBatch, runBatch } from './run-batch.ts'

const MOUNT_ATTR_SIZE = 32 // linux/mount.h: attr_set, attr_clr, propagation, userns_fd

/** Mounts the folder `source` at the folder `target`, with ids as the user namespace `namespace` maps them. */
export function mountMapped(source: string, target: string, namespace: number): void {
  const b = newBatch()
  const flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC
  const tree = b.sys('open_tree', [AT_FDCWD, b.string(source), flags])
  const attributes = b.words([MOUNT_ATTR_IDMAP, 0, 0, 0])
  b.store(8, attributes, 24, namespace)
  const error = b.slot('error')
  const end = b.label()
  const calls = [
    ['mount_setattr', [tree, b.string(''), AT_EMPTY_PATH, attributes, MOUNT_ATTR_SIZE]],
    ['move_mount', [tree, b.string(''), AT_FDCWD, b.string(target), MOVE_MOUNT_F_EMPTY_PATH]],
  ] as const
  for (const [name, words] of calls) {
    b.set(error, b.sys(name, words, { tolerate: ['*'] }))
    b.branch(error, 'lt', 0, end)
  }
  b.place(end)
  b.run('close', [tree])
  const value = runBatch(b).value(error)
  if (value < 0) throw new SyscallError('mount_setattr', -value, errnoName(-value), source)
}
