/** An open file for the time of one call. */
import { closeSync, openSync } from 'node:fs'

/** Opens `path` for reading and closes it when `use` has returned. */
export function withFile(path: string, use: (fd: number) => void): void {
  const fd = openSync(path, 'r')
  try {
    use(fd)
  } finally {
    closeSync(fd)
  }
}
