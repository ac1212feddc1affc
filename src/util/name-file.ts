/** Failures of writes with the name of the file: Node's own are without it where the call takes a descriptor. */
import { errnoCodeOf, TsrunError } from '../errors.ts'

const HINTS: Readonly<Record<string, string>> = {
  ENOSPC: 'free space, or inodes, on the file system that holds it',
  EDQUOT: 'free space on the file system that holds it: a quota is used up',
  EROFS: 'its file system is read-only: use a directory on another one',
}

/** What `write` returns; throws TsrunError `unavailable` that names `path` when it fails. */
export function nameFile<Result>(path: string, write: () => Result): Result {
  try {
    return write()
  } catch (cause) {
    const errno = errnoCodeOf(cause)
    if (errno === undefined) throw cause
    const hint = HINTS[errno]
    throw new TsrunError('unavailable', `cannot write "${path}"`, {
      cause,
      errno,
      ...(hint === undefined ? {} : { hint }),
    })
  }
}
