/** Removes folders that others have filled: of any depth, and through no link that is put in the way meanwhile. */
import { randomBytes } from 'node:crypto'
import {
  closeSync,
  constants,
  type Dirent,
  openSync,
  readdirSync,
  renameSync,
  rmdirSync,
  rmSync,
  unlinkSync,
} from 'node:fs'
import { errnoCodeOf } from '../errors.ts'

/**
 * Removes what is at `path`, which may not be there. A container or a layer can nest folders deeper than a path may be
 * long (PATH_MAX) and than rmSync() can recurse, so nothing here descends: folders inside folders are moved up to
 * the top until none is left.
 */
export function removeTree(path: string | Buffer): void {
  const top = openFolder(path)
  if (top === undefined) {
    rmSync(path, { force: true })
    return
  }
  try {
    const at = Buffer.from(`/proc/self/fd/${top}/`)
    const move = mover(at)
    for (let entries = entriesOf(at); entries.length > 0; entries = entriesOf(at)) {
      for (const entry of entries) {
        const place = placeOf(at, entry)
        if (!entry.isDirectory()) removeFile(place)
        else {
          emptyFolder(place, move)
          rmdirSync(place)
        }
      }
    }
  } finally {
    closeSync(top)
  }
  rmdirSync(path)
}

/** Moves a folder to a name of its own in the folder `to`. */
function mover(to: Buffer): (from: Buffer) => void {
  const prefix = `.${randomBytes(8).toString('hex')}-`
  let moved = 0
  return (from) => renameSync(from, Buffer.concat([to, Buffer.from(`${prefix}${moved++}`)]))
}

function emptyFolder(path: Buffer, move: (from: Buffer) => void): void {
  const fd = openFolder(path)
  if (fd === undefined) return
  try {
    const at = Buffer.from(`/proc/self/fd/${fd}/`)
    for (const entry of entriesOf(at)) {
      const place = placeOf(at, entry)
      if (entry.isDirectory()) move(place)
      else removeFile(place)
    }
  } finally {
    closeSync(fd)
  }
}

// Names as byte strings: asked for buffers, Bun gives those alone, without their types.
function entriesOf(folder: Buffer): readonly Dirent[] {
  return readdirSync(folder, { withFileTypes: true, encoding: 'latin1' })
}

function placeOf(folder: Buffer, { name }: Dirent): Buffer {
  return Buffer.concat([folder, Buffer.from(name, 'latin1')])
}

function removeFile(path: Buffer): void {
  try {
    unlinkSync(path)
  } catch (error) {
    // Somebody else was faster.
    if (errnoCodeOf(error) !== 'ENOENT') throw error
  }
}

// Undefined when it is no folder: a link is not followed, whatever stood there a moment ago (CVE-2022-21658).
function openFolder(path: string | Buffer): number | undefined {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW)
  } catch (error) {
    const code = errnoCodeOf(error)
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ELOOP') return undefined
    throw error
  }
}
