/** Extended attributes by path, which Node cannot read; symbolic links are not followed. */
import { SyscallError } from '../errors.ts'
import { errnoName, errnoNumber } from '../linux/errno.ts'
import { newBatch, runBatch } from './run-batch.ts'
import { trySyscall } from './syscalls.ts'

const MAX_SIZE = 65536 // XATTR_SIZE_MAX and XATTR_LIST_MAX, <linux/limits.h>

/** The value of `name`, undefined when the file has none or its file system knows none. */
export function readXattr(path: Buffer, name: string): Buffer | undefined {
  const b = newBatch()
  const value = b.zeros(MAX_SIZE)
  const length = b.sys('lgetxattr', [place(b, path), place(b, name), value, MAX_SIZE], {
    tolerate: ['ENODATA', 'EOPNOTSUPP'],
  })
  const result = runBatch(b)
  const size = result.value(length)
  return size < 0 ? undefined : Buffer.from(result.bytes(value).subarray(0, size))
}

/** The names that the file has. */
export function listXattrs(path: Buffer): readonly string[] {
  const b = newBatch()
  const names = b.zeros(MAX_SIZE)
  const length = b.sys('llistxattr', [place(b, path), names, MAX_SIZE], {
    tolerate: ['EOPNOTSUPP'],
  })
  const result = runBatch(b)
  const size = result.value(length)
  if (size <= 0) return []
  return result
    .bytes(names)
    .toString('latin1', 0, size - 1)
    .split('\0')
}

/** Whether an open file has any: a quick look, where few files do. */
export function hasXattrs(fd: number): boolean {
  return trySyscall('flistxattr', [fd, 0, 0]) > 0
}

/** Sets attributes of an open file; a file system that knows none leaves it without (EOPNOTSUPP). */
export function writeXattrs(
  fd: number,
  xattrs: readonly (readonly [name: string, value: Uint8Array])[],
): void {
  if (xattrs.length === 0) return
  const b = newBatch()
  for (const [name, value] of xattrs)
    b.run('fsetxattr', [fd, place(b, name), b.bytes(value), value.length, 0], {
      tolerate: ['EOPNOTSUPP'],
    })
  runBatch(b)
}

/** Copies the attributes that `wanted` accepts to a path, or to an open file. */
export function copyXattrs(
  from: Buffer,
  to: Buffer | number,
  wanted: (name: string) => boolean,
): void {
  for (const name of listXattrs(from)) {
    const value = wanted(name) ? readXattr(from, name) : undefined
    if (value === undefined) continue
    const b = newBatch()
    const call = typeof to === 'number' ? 'fsetxattr' : 'lsetxattr'
    const target = typeof to === 'number' ? to : place(b, to)
    const set = b.sys(call, [target, place(b, name), b.bytes(value), value.length, 0], {
      tolerate: ['*'],
    })
    const error = runBatch(b).value(set)
    if (error < 0 && error !== -errnoNumber('EOPNOTSUPP')) {
      throw new SyscallError(call, -error, errnoName(-error), from.toString())
    }
  }
}

function place(b: ReturnType<typeof newBatch>, text: Buffer | string) {
  return b.bytes(
    Buffer.concat([typeof text === 'string' ? Buffer.from(text, 'latin1') : text, Buffer.alloc(1)]),
    1,
  )
}
