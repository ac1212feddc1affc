/** Files and folders that may not be there, where that is no error. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
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
