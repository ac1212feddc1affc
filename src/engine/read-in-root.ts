/** Reads small files below a container's root, whose links may try to lead out of it. */
import { fstatSync, readSync } from 'node:fs'
import { errnoCodeOf, TsrunError } from '../errors.ts'
import { openFileInRoot } from '../native/open-file-in-root.ts'
import type { OwnedFd } from '../native/owned-fd.ts'

const MAX_BYTES = 4 * 1024 * 1024

/** Text of the regular file `path` below `root`; undefined when there is none. */
export function readInRoot(root: string, path: string): string | undefined {
  using file = openInRoot(root, path)
  if (file === undefined) return undefined
  const { size } = fstatSync(file.fd)
  if (size > MAX_BYTES) {
    throw new TsrunError(
      'invalid-argument',
      `cannot read ${path} of the container: it has ${size} bytes`,
    )
  }
  const buffer = Buffer.alloc(size)
  return buffer.toString('utf8', 0, readSync(file.fd, buffer, 0, size, 0))
}

function openInRoot(root: string, path: string): OwnedFd | undefined {
  try {
    return openFileInRoot(root, path)
  } catch (cause) {
    if (errnoCodeOf(cause) !== 'EACCES') throw cause
    throw new TsrunError('permission-denied', `cannot read ${path} of the container`, {
      errno: 'EACCES',
      cause,
    })
  }
}
