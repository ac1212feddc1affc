/** The ids that a user may map beside their own: /etc/subuid and /etc/subgid (subuid(5)). */
import { readTextIfThere } from '../../util/if-there.ts'

export interface IdRange {
  readonly start: number
  readonly count: number
}

export type IdKind = 'uid' | 'gid'

/** Where the ranges of `kind` are. */
export function subordinateFile(kind: IdKind): string {
  return `/etc/sub${kind}`
}

/** The ranges of the user `uid` called `name`, in the order of the file; it may say either. */
export function parseSubordinateIds(
  text: string,
  user: { readonly uid: number; readonly name: string | undefined },
): readonly IdRange[] {
  const ranges: IdRange[] = []
  for (const line of text.split('\n')) {
    const match = /^([^:]+):(\d+):(\d+)$/.exec(line.trim())
    if (match === null) continue
    const [, owner, start, count] = match
    if (owner !== user.name && owner !== String(user.uid)) continue
    if (Number(count) > 0) ranges.push({ start: Number(start), count: Number(count) })
  }
  return ranges
}

/** The ranges that the files of this host give to a user; what a directory service gives is not among them. */
export function subordinateIds(
  kind: IdKind,
  user: { readonly uid: number; readonly name: string | undefined },
): readonly IdRange[] {
  return parseSubordinateIds(readTextIfThere(subordinateFile(kind)) ?? '', user)
}

/** The login name of `uid` in the text of a passwd(5). */
export function loginName(uid: number, passwd: string): string | undefined {
  for (const line of passwd.split('\n')) {
    const fields = line.split(':')
    if (fields[2] === String(uid) && fields[0] !== undefined && fields[0] !== '') return fields[0]
  }
  return undefined
}

/** Who we are to these files. */
export function currentUser(): { readonly uid: number; readonly name: string | undefined } {
  // Of the real user: newuidmap(1) goes by that.
  const uid = process.getuid?.() ?? 0
  return { uid, name: loginName(uid, readTextIfThere('/etc/passwd') ?? '') }
}
