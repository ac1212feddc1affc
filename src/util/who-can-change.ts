/** Whether what lies in a directory is our own word, or may be a stranger's. */
import { type Stats, statSync } from 'node:fs'

const S_ISVTX = 0o1000
const BY_GROUP = 0o020
const BY_OTHERS = 0o002

export interface Folder {
  /** A clause why others than us and root can change what is in the directory; undefined when nobody can. */
  readonly stranger: string | undefined
  /** Others can add names to it, and change nobody else's (inode(7), sticky directories). */
  readonly isSticky: boolean
}

/** Undefined when there is no such directory. */
export function whoCanChange(path: string): Folder | undefined {
  const stat = statSync(path, { throwIfNoEntry: false })
  if (stat?.isDirectory() !== true) return undefined
  return { stranger: strangerOf(stat), isSticky: isOurs(stat) && (stat.mode & S_ISVTX) !== 0 }
}

function strangerOf(stat: Stats): string | undefined {
  if (!isOurs(stat)) return `it belongs to user ${stat.uid}`
  // Whoever is in root's group is an administrator.
  const isOpen = (stat.mode & BY_OTHERS) !== 0 || ((stat.mode & BY_GROUP) !== 0 && stat.gid !== 0)
  return isOpen ? 'others may write in it' : undefined
}

function isOurs({ uid }: Stats): boolean {
  return uid === 0 || uid === process.geteuid?.()
}
