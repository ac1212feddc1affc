/**
 * An empty volume gets what the image has at the place where it is mounted, with owner, mode and links of that
 * folder. Neither what is in the image nor a container that changes the volume meanwhile can lead it elsewhere:
 *
 *   copy.part/   being copied, by descriptors, out of the root with RESOLVE_IN_ROOT; after a kill it is made anew
 *   copy/        complete; its entries go into _data one by one, each by one rename(2); after a kill they go on
 */
import {
  chmodSync,
  chownSync,
  existsSync,
  fstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmdirSync,
  utimesSync,
} from 'node:fs'
import { join } from 'node:path'
import { errnoCodeOf, TsrunError } from '../../errors.ts'
import { openPathInRoot } from '../../native/open-file-in-root.ts'
import { openFolder } from '../../native/open-folder.ts'
import type { OwnedFd } from '../../native/owned-fd.ts'
import { copyTree } from '../../runtime/copy-tree.ts'
import { removeTree } from '../../util/remove-tree.ts'
import type { VolumeSource } from './mount-volume.ts'
import type { LockedVolume } from './volume-store.ts'

/**
 * Copies `destination` of the container's root at `rootPath` into the volume, unless that has something in it.
 * The caller holds the exclusive lock.
 */
export async function copyIntoVolume(
  { volume, folder }: LockedVolume,
  source: VolumeSource,
  rootPath: string,
  destination: string,
): Promise<void> {
  const part = join(folder, 'copy.part')
  const complete = join(folder, 'copy')
  using data = openFolder(source.path)
  if (!existsSync(complete)) {
    removeTree(part)
    if (readdirSync(`/proc/self/fd/${data.fd}`).length > 0) return
    using from = openPathInRoot(rootPath, destination)
    if (from === undefined || !fstatSync(from.fd).isDirectory()) return
    if (source.path !== join(folder, '_data') || isOtherFilesystem(folder, data)) {
      await copyDirectly(volume.name, from, data)
      return
    }
    await copyPart(volume.name, from, part)
    renameSync(part, complete)
  }
  moveEntries(complete, data)
}

async function copyPart(name: string, from: OwnedFd, part: string): Promise<void> {
  mkdirSync(part, { mode: 0o700 })
  try {
    using to = openFolder(part)
    await copyTree(from.fd, to.fd)
    copyOwn(from, part)
  } catch (cause) {
    removeTree(part)
    throw failure(name, cause)
  }
}

// Its files are on another file system, where rename(2) cannot put them.
async function copyDirectly(name: string, from: OwnedFd, data: OwnedFd): Promise<void> {
  try {
    await copyTree(from.fd, data.fd)
    copyOwn(from, `/proc/self/fd/${data.fd}`)
  } catch (cause) {
    throw failure(name, cause)
  }
}

function moveEntries(complete: string, data: OwnedFd): void {
  const target = `/proc/self/fd/${data.fd}`
  for (const entry of readdirSync(complete, { encoding: 'buffer' })) {
    const from = Buffer.concat([Buffer.from(`${complete}/`), entry])
    try {
      renameSync(from, Buffer.concat([Buffer.from(`${target}/`), entry]))
    } catch (error) {
      // A container has made one of this name meanwhile: that one stays.
      if (!['EEXIST', 'ENOTEMPTY', 'ENOTDIR', 'EISDIR'].includes(errnoCodeOf(error) ?? ''))
        throw error
      removeTree(from)
    }
  }
  using own = openFolder(complete)
  copyOwn(own, target)
  rmdirSync(complete)
}

function copyOwn(from: OwnedFd, target: string): void {
  const { uid, gid, mode, atime, mtime } = fstatSync(from.fd)
  chownSync(target, uid, gid)
  chmodSync(target, mode & 0o7777)
  utimesSync(target, atime, mtime)
}

function isOtherFilesystem(folder: string, data: OwnedFd): boolean {
  using own = openFolder(folder)
  return fstatSync(own.fd).dev !== fstatSync(data.fd).dev
}

function failure(name: string, cause: unknown): TsrunError {
  const code = errnoCodeOf(cause)
  return new TsrunError(
    'failed-precondition',
    `cannot copy the image's files into volume "${name}"`,
    {
      cause,
      ...(code === 'ENOSPC' || code === 'EDQUOT'
        ? { hint: 'free space there, or mount the volume with nocopy' }
        : {}),
    },
  )
}
