/** Opens a directory for reading, not through a symbolic link at its end. */
import { constants, openSync } from 'node:fs'
import { OwnedFd } from './owned-fd.ts'

/** Throws as open(2): ELOOP for a link, ENOTDIR for a file. */
export function openFolder(path: string): OwnedFd {
  const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants
  return new OwnedFd(openSync(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW))
}
