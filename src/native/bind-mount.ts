/** Mounts a folder or file of the host on a place that a descriptor names: no path of the target is resolved. */
import { SyscallError } from '../errors.ts'
import { errnoName } from '../linux/errno.ts'
import {
  MOVE_MOUNT_F_EMPTY_PATH,
  MOVE_MOUNT_T_EMPTY_PATH,
  OPEN_TREE_CLOEXEC,
  OPEN_TREE_CLONE,
} from '../linux/mount-flags.ts'
import { AT_FDCWD, AT_RECURSIVE } from '../linux/open-flags.ts'
import type { OwnedFd } from './owned-fd.ts'
import { newBatch, runBatch } from './run-batch.ts'

/** Mounts what is at `source`, with all mounts below it, on `target`. */
export function bindMount(source: string, target: OwnedFd): void {
  const batch = newBatch()
  const flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE
  const tree = batch.sys('open_tree', [AT_FDCWD, batch.string(source), flags])
  const empty = batch.string('')
  const moved = batch.sys(
    'move_mount',
    [tree, empty, target.fd, empty, MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH],
    { tolerate: ['*'] },
  )
  batch.run('close', [tree])
  const error = runBatch(batch).value(moved)
  if (error < 0) throw new SyscallError('move_mount', -error, errnoName(-error), source)
}
