/** How much a folder of a snapshot holds. */
import { lstatSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

export interface Usage {
  /** Allocated bytes; a file with several names counts once. */
  readonly bytes: number
  readonly files: number
}

/** Counts everything below `folder` (and the folder itself) on its own file system, following no links. */
export function usageOf(folder: string): Usage {
  const seen = new Set<number>()
  const open = [folder]
  let bytes = 0
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    const { ino, blocks, nlink } = lstatSync(path)
    if (nlink > 1 && seen.has(ino)) continue
    seen.add(ino)
    bytes += blocks * 512
    const parent = path
    if (isFolder(parent)) open.push(...readdirSync(parent).map((name) => join(parent, name)))
  }
  return { bytes, files: seen.size }
}

function isFolder(path: string): boolean {
  return lstatSync(path).isDirectory()
}
