/** Makes times of files earlier: with SOURCE_DATE_EPOCH nothing in a layer is younger than that. */
import { constants, fstatSync, lstatSync, lutimesSync, openSync, readdirSync } from 'node:fs'
import { entryPath, openEntry, selfPath } from '../../native/open-in-root.ts'
import { OwnedFd } from '../../native/owned-fd.ts'

/** Deeper folders have paths longer than PATH_MAX, which no layer has (read-tree.ts). */
const MAX_DEPTH = 2048

/** Sets each time below `folder` that is after `latest` (nanoseconds) to it; follows no link. */
export function clampTimes(folder: OwnedFd, latest: bigint, depth = 0): void {
  if (depth > MAX_DEPTH) return
  for (const name of readdirSync(selfPath(folder), { encoding: 'latin1' })) {
    const path = entryPath(folder, name)
    if (lstatSync(path).isDirectory()) {
      using place = openEntry(folder, name)
      if (place === undefined || !fstatSync(place.fd).isDirectory()) continue
      using inner = new OwnedFd(
        openSync(`${selfPath(place)}/.`, constants.O_RDONLY | constants.O_DIRECTORY),
      )
      clampTimes(inner, latest, depth + 1)
    }
    clamp(path, latest)
  }
}

function clamp(path: Buffer, latest: bigint): void {
  const { mtimeNs } = lstatSync(path, { bigint: true })
  if (mtimeNs <= latest) return
  const seconds = Number(latest / 1_000_000_000n)
  lutimesSync(path, seconds, seconds)
}
