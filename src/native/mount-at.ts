/** Mounts that the host sees for a while: a file system by its type, or a copy of what a descriptor stands for. */
import { SyscallError } from '../errors.ts'
import { errnoName } from '../linux/errno.ts'
import {
  MOUNT_ATTR_SIZE_VER0,
  MOVE_MOUNT_F_EMPTY_PATH,
  MS_SLAVE,
  OPEN_TREE_CLOEXEC,
  OPEN_TREE_CLONE,
} from '../linux/mount-flags.ts'
import { AT_EMPTY_PATH, AT_FDCWD, AT_RECURSIVE } from '../linux/open-flags.ts'
import { newBatch, runBatch } from './run-batch.ts'

export interface NewFilesystem {
  readonly source: string
  readonly type: string
  /** MS_* of mount(2). */
  readonly flags: number
  /** Options of the file system itself, with commas. */
  readonly data: string
}

/** mount(2) at the folder `target`. Throws SyscallError. */
export function mountFilesystem(
  { source, type, flags, data }: NewFilesystem,
  target: string,
): void {
  const b = newBatch()
  b.run('mount', [b.string(source), b.string(target), b.string(type), flags, b.string(data)])
  runBatch(b)
}

/** Mounts what `fd` stands for, with the mounts below it, at `target`: a folder for a folder, else a file. */
export function bindDescriptor(fd: number, target: string): void {
  const b = newBatch()
  const flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE
  const tree = b.sys('open_tree', [fd, b.string(''), flags])
  // A copy of a shared mount is its peer: taking the copy away would take away what is mounted below the
  // original (mount_namespaces(7), "Propagation type transitions"). A slave only listens.
  const attributes = b.words([0, 0, MS_SLAVE, 0])
  const where = AT_EMPTY_PATH | AT_RECURSIVE
  b.run('mount_setattr', [tree, b.string(''), where, attributes, MOUNT_ATTR_SIZE_VER0])
  const moved = b.sys(
    'move_mount',
    [tree, b.string(''), AT_FDCWD, b.string(target), MOVE_MOUNT_F_EMPTY_PATH],
    { tolerate: ['*'] },
  )
  b.run('close', [tree])
  const error = runBatch(b).value(moved)
  if (error < 0) throw new SyscallError('move_mount', -error, errnoName(-error), target)
}
