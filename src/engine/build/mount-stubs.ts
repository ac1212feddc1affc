/**
 * The empty files and folders that a runtime makes for a container's mounts: what was not there before a step and
 * is still empty after it does not belong into the step's layer.
 */
import { fstatSync, rmdirSync, unlinkSync } from 'node:fs'
import { errnoCodeOf } from '../../errors.ts'
import { entryPath, openEntry, openInRoot } from '../../native/open-in-root.ts'
import type { OwnedFd } from '../../native/owned-fd.ts'
import { toByteText } from '../../util/byte-text.ts'
import { splitPath } from '../../util/split-path.ts'

/** What of the destinations and the folders on their way is not there; outer ones first. */
export function missingPlaces(root: OwnedFd, destinations: readonly string[]): readonly string[] {
  const missing = new Set<string>()
  for (const destination of destinations) {
    const parts = toByteText(destination)
      .split('/')
      .filter((part) => part !== '')
    for (let length = 1; length <= parts.length; length++) {
      const path = parts.slice(0, length).join('/')
      using found = openInRoot(root, path, { follow: true })
      if (found === undefined) missing.add(path)
    }
  }
  return [...missing].sort((a, b) => a.length - b.length)
}

/** Removes those of the places that are empty now; inner ones go first. */
export function removeStubs(root: OwnedFd, places: readonly string[]): void {
  for (const path of places.toReversed()) {
    const [above, name] = splitPath(path)
    using folder = openInRoot(root, above, { follow: true })
    if (folder === undefined || !fstatSync(folder.fd).isDirectory()) continue
    using place = openEntry(folder, name)
    const stats = place === undefined ? undefined : fstatSync(place.fd)
    if (stats?.isDirectory() === true) removeEmpty(folder, name)
    else if (stats?.isFile() === true && stats.size === 0) unlinkSync(entryPath(folder, name))
  }
}

function removeEmpty(folder: OwnedFd, name: string): void {
  try {
    rmdirSync(entryPath(folder, name))
  } catch (error) {
    if (errnoCodeOf(error) !== 'ENOTEMPTY') throw error
  }
}
