/** Files and folders that may not be there, where that is no error. */
import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  statSync,
} from 'node:fs'
import { errnoCodeOf } from '../errors.ts'

/** The text of a file, undefined when there is none; a file of the kernel's that is going away is none (ENODEV). */
export function readTextIfThere(path: string): string | undefined {
  return readBytesIfThere(path)?.toString('utf8')
}

/** As {@link readTextIfThere}, for files that are no text. */
export function readBytesIfThere(path: string): Buffer | undefined {
  // Often there is none, and an error with its stack costs ten times as much as this look.
  if (!existsSync(path)) return undefined
  try {
    return readFileSync(path)
  } catch (error) {
    const code = errnoCodeOf(error)
    if (code === 'ENOENT' || code === 'ENODEV') return undefined
    throw error
  }
}

/** A file is longer than was asked for. */
export const TOO_LONG = Symbol('too long')

/** As {@link readTextIfThere}, for a file that others fill: never more than `most` bytes, however long it is. */
export function readShortText(path: string, most: number): string | typeof TOO_LONG | undefined {
  if (!existsSync(path)) return undefined
  const fd = openSync(path, 'r')
  try {
    const bytes = Buffer.allocUnsafe(most + 1)
    let length = 0
    for (;;) {
      const count = readSync(fd, bytes, length, bytes.length - length, null)
      length += count
      if (length > most) return TOO_LONG
      if (count === 0) return bytes.toString('utf8', 0, length)
    }
  } finally {
    closeSync(fd)
  }
}

/** Whether there is anything at `path`, links followed. */
export function existsAt(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined
}

/** The names in a folder, none when it is not there. */
export function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch (error) {
    if (errnoCodeOf(error) === 'ENOENT') return []
    throw error
  }
}
