/** Resolves `user[:group]` against the container's own passwd and group files, as docker does. */
import { MAX_ID } from '../oci/json-cursor.ts'
import { refuseOption } from './invalid-option.ts'

export interface ResolvedUser {
  readonly uid: number
  readonly gid: number
  /** The primary group and every supplementary one, without repetition (CVE-2022-36109: primary included). */
  readonly additionalGids: readonly number[]
  readonly home: string
}

export interface UserQuestion {
  /** `user`, `user:group`, `:group` or empty for root. */
  readonly user: string
  /** Names or numbers of further groups. */
  readonly groups: readonly string[]
  readonly passwd: string | undefined
  readonly group: string | undefined
}

interface PasswdEntry {
  readonly name: string
  readonly uid: number
  readonly gid: number
  readonly home: string
}

interface GroupEntry {
  readonly name: string
  readonly gid: number
  readonly members: readonly string[]
}

/**
 * A number is an id even where a user has that name; a name must stand in the file. Without an own
 * group the user gets the one of passwd and every group that lists the name; a number without an
 * entry gets group 0 and home `/`.
 */
export function resolveUser(question: UserQuestion): ResolvedUser {
  const [userText = '', groupText, ...rest] = question.user.split(':')
  if (rest.length > 0) refuseOption('user', question.user, 'it must be user or user:group')
  const entry = findUser(userText, question)
  const groups = parseGroups(question.group)
  const named = groupText !== undefined && groupText !== ''
  const gid = named ? findGroup(groupText, groups, question.user) : entry.gid
  const memberships =
    named || entry.name === ''
      ? []
      : groups.filter(({ members }) => members.includes(entry.name)).map((group) => group.gid)
  const added = question.groups.map((text) => findGroup(text, groups, text))
  return {
    uid: entry.uid,
    gid,
    additionalGids: [...new Set([gid, ...memberships, ...added])],
    home: entry.home,
  }
}

/** Entries of a passwd file; a line that is not well-formed is no user (numbers are never guessed). */
export function parsePasswd(text: string | undefined): readonly PasswdEntry[] {
  const entries: PasswdEntry[] = []
  for (const line of (text ?? '').split('\n')) {
    const [name = '', , uidText, gidText, , home = ''] = line.split(':')
    const uid = idOf(uidText)
    const gid = idOf(gidText)
    if (name === '' || name.startsWith('#') || uid === undefined || gid === undefined) continue
    entries.push({
      name,
      uid,
      gid,
      home: home.startsWith('/') && !home.includes('\0') ? home : '/',
    })
  }
  return entries
}

/** Entries of a group file; a line that is not well-formed is no group. */
export function parseGroups(text: string | undefined): readonly GroupEntry[] {
  const entries: GroupEntry[] = []
  for (const line of (text ?? '').split('\n')) {
    const [name = '', , gidText, members = ''] = line.split(':')
    const gid = idOf(gidText)
    if (name === '' || name.startsWith('#') || gid === undefined) continue
    entries.push({ name, gid, members: members.trim() === '' ? [] : members.trim().split(',') })
  }
  return entries
}

function findUser(text: string, { user, passwd }: UserQuestion): PasswdEntry {
  const entries = parsePasswd(passwd)
  if (text === '' || /^\d+$/.test(text)) {
    const uid = text === '' ? 0 : checkedId(text, user)
    return (
      entries.find((entry) => entry.uid === uid) ?? {
        name: '',
        uid,
        gid: 0,
        home: '/',
      }
    )
  }
  const found = entries.find((entry) => entry.name === text)
  if (found !== undefined) return found
  return refuseOption(
    'user',
    user,
    `the container's /etc/passwd has no user ${JSON.stringify(text)}: give one that it has, or a number`,
  )
}

function findGroup(text: string, groups: readonly GroupEntry[], option: string): number {
  if (/^\d+$/.test(text)) return checkedId(text, option)
  const found = groups.find((group) => group.name === text)
  if (found !== undefined) return found.gid
  return refuseOption(
    'user',
    option,
    `the container's /etc/group has no group ${JSON.stringify(text)}`,
  )
}

/** CVE-2024-40635: an id above the range would wrap to 0, which is root. */
function checkedId(text: string, option: string): number {
  return idOf(text) ?? refuseOption('user', option, `ids are from 0 to ${MAX_ID}`)
}

function idOf(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d{1,20}$/.test(text)) return undefined
  const id = Number(text)
  return id <= MAX_ID ? id : undefined
}
