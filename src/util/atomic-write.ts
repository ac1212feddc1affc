/** Writes a file whole or not at all: temporary beside it, fsync, rename, fsync of the folder. */
import { randomBytes } from 'node:crypto'
import {
  closeSync,
  fchmodSync,
  fsyncSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { errnoCodeOf, TsrunError } from '../errors.ts'

export interface AtomicWriteOptions {
  /** Permission bits, exact whatever the umask is; 0600 when absent. */
  readonly mode?: number
  /** `false` skips both fsyncs: for files that need not outlive a power cut, as on a tmpfs. */
  readonly durable?: boolean
}

/** `.<name>.<12 hex digits>.tmp`: recognised and removed after a crash. */
const TEMPORARY = /^\..+\.[0-9a-f]{12}\.tmp$/

/**
 * Replaces `path` by `data`. Readers see the old file or the new one, also after a crash; on failure
 * the old file stands and no temporary is left.
 */
export function writeFileAtomic(
  path: string,
  data: string | Uint8Array,
  options: AtomicWriteOptions = {},
): void {
  const folder = dirname(path)
  const temporary = join(folder, `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`)
  try {
    writeNew(temporary, data, options)
    renameSync(temporary, path)
    if (options.durable !== false) syncFolder(folder)
  } catch (cause) {
    rmSync(temporary, { force: true })
    const errno = errnoCodeOf(cause)
    throw new TsrunError('internal', `cannot write "${path}"`, {
      cause,
      ...(errno === undefined ? {} : { errno }),
    })
  }
}

/** Whether a file of this name is a temporary of {@link writeFileAtomic}. */
export function isTemporary(name: string): boolean {
  return TEMPORARY.test(name)
}

/**
 * Removes temporaries that a killed process left in `folder`. Only for a caller that holds the lock
 * under which the folder's files are written: another writer's temporary looks the same.
 */
export function removeStaleTemporaries(folder: string): void {
  for (const name of readdirSync(folder)) {
    if (isTemporary(name)) rmSync(join(folder, name), { force: true })
  }
}

/** Makes the names in a folder durable: rename(2) alone may be lost in a power cut (fsync(2) NOTES). */
export function syncFolder(folder: string): void {
  const fd = openSync(folder, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

function writeNew(path: string, data: string | Uint8Array, options: AtomicWriteOptions): void {
  const mode = options.mode ?? 0o600
  // O_EXCL: never through a symlink that someone else put there.
  const fd = openSync(path, 'wx', 0o600)
  try {
    writeFileSync(fd, data)
    fchmodSync(fd, mode)
    if (options.durable !== false) fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}
