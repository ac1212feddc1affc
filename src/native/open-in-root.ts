/** Descriptors of places below a folder whose owner may be hostile and may change it at any moment. */
import { constants, openSync } from 'node:fs'
import { errnoCodeOf } from '../errors.ts'
import {
  O_CLOEXEC,
  O_PATH,
  OPEN_HOW_SIZE_VER0,
  openFlagsFor,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
} from '../linux/open-flags.ts'
import { hostArchitecture } from './library.ts'
import { OwnedFd } from './owned-fd.ts'
import { newBatch, runBatch } from './run-batch.ts'

/** `follow`: a link at the end is followed too, below the root as those on the way. */
export interface PlaceOptions {
  readonly follow: boolean
}

/**
 * An O_PATH descriptor of `path` (a byte string) below `root`, which all links and `..` stay in (openat2(2)
 * RESOLVE_IN_ROOT); undefined when there is nothing. To act on it: by descriptor, or by entryPath.
 */
export function openInRoot(
  root: OwnedFd,
  path: string,
  { follow }: PlaceOptions,
): OwnedFd | undefined {
  const batch = newBatch()
  const { O_NOFOLLOW } = openFlagsFor(hostArchitecture())
  const flags = O_PATH | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW)
  const how = batch.words([flags, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS])
  const relative = path.replace(/^\/+/, '')
  const name = batch.bytes(Buffer.from(`${relative === '' ? '.' : relative}\0`, 'latin1'), 1)
  const found = batch.sys('openat2', [root.fd, name, how, OPEN_HOW_SIZE_VER0], {
    tolerate: ['ENOENT', 'ENOTDIR'],
  })
  const fd = runBatch(batch).value(found)
  return fd < 0 ? undefined : new OwnedFd(fd)
}

/**
 * An O_PATH descriptor of the entry `name` (one component, a byte string) of the folder; never of what a
 * link there leads to. Undefined when there is none.
 */
export function openEntry(folder: OwnedFd, name: string): OwnedFd | undefined {
  try {
    return new OwnedFd(openSync(entryPath(folder, name), O_PATH | constants.O_NOFOLLOW))
  } catch (error) {
    const code = errnoCodeOf(error)
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw error
  }
}

/** `/proc/self/fd/<folder>/<name>`: for calls that follow no link at the end; nothing else of it is resolved. */
export function entryPath(folder: OwnedFd, name: string): Buffer {
  return Buffer.from(`/proc/self/fd/${folder.fd}/${name}`, 'latin1')
}

/** For calls on just what the descriptor refers to, also when that was opened by O_PATH. */
export function selfPath(place: OwnedFd): string {
  return `/proc/self/fd/${place.fd}`
}
