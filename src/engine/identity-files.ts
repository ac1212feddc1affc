/** Files of /etc that are made for one container when asked for: its users and groups, its time zone. */
import { readFileSync } from 'node:fs'
import { TsrunError } from '../errors.ts'
import { parseGroups, parsePasswd, resolveUser } from '../spec/user.ts'
import type { ContainerImage } from './build-container.ts'
import { readInRoot } from './read-in-root.ts'
import type { RunRequest } from './run-request.ts'

export interface IdentityFile {
  /** In /etc, and in the container's folder. */
  readonly name: 'passwd' | 'group' | 'localtime'
  readonly content: string | Uint8Array
}

/** Those that the request changes. */
export function identityFiles(
  request: RunRequest,
  image: ContainerImage | undefined,
  rootPath: string,
): readonly IdentityFile[] {
  const group = groupFile(request, image, rootPath)
  const passwd = passwdFile(request, image, rootPath)
  const localtime = request.timezone === undefined ? undefined : zoneFile(request.timezone)
  return [
    ...(passwd === undefined ? [] : [{ name: 'passwd' as const, content: passwd }]),
    ...(group === undefined ? [] : [{ name: 'group' as const, content: group }]),
    ...(localtime === undefined ? [] : [{ name: 'localtime' as const, content: localtime }]),
  ]
}

function passwdFile(
  request: RunRequest,
  image: ContainerImage | undefined,
  rootPath: string,
): string | undefined {
  const isWanted = request.passwd === true || request.passwdEntry !== undefined
  if (!isWanted && (request.hostUsers ?? []).length === 0) return undefined
  const text = readInRoot(rootPath, '/etc/passwd') ?? ''
  const lines = (request.hostUsers ?? []).map(hostUser)
  const user = request.user ?? image?.process.User ?? ''
  if (isWanted) {
    const group = readInRoot(rootPath, '/etc/group')
    const known = [text, ...lines].join('\n')
    const { uid, gid } = resolveUser({ user, groups: [], passwd: known, group })
    if (!parsePasswd(known).some((entry) => entry.uid === uid))
      lines.push(userLine(request, image, uid, gid))
  }
  return lines.length === 0 ? undefined : joined(text, lines)
}

// podman's entry, and the words that its templates have.
function userLine(
  request: RunRequest,
  image: ContainerImage | undefined,
  uid: number,
  gid: number,
): string {
  const home = request.workdir ?? image?.process.WorkingDir ?? ''
  const template = request.passwdEntry ?? '$USERNAME:*:$UID:$GID:container user:$HOME:/bin/sh'
  return fill(template, {
    USERNAME: String(uid),
    UID: String(uid),
    GID: String(gid),
    HOME: home === '' ? '/' : home,
  })
}

function groupFile(
  request: RunRequest,
  image: ContainerImage | undefined,
  rootPath: string,
): string | undefined {
  if (request.passwd !== true && request.groupEntry === undefined) return undefined
  const text = readInRoot(rootPath, '/etc/group') ?? ''
  const user = request.user ?? image?.process.User ?? ''
  const [, groupText = ''] = user.split(':')
  // A name must be in the file, and a user's own group is.
  if (!/^\d+$/.test(groupText)) return undefined
  const gid = Number(groupText)
  if (parseGroups(text).some((entry) => entry.gid === gid)) return undefined
  const template = request.groupEntry ?? '$GROUPNAME:x:$GID:'
  return joined(text, [fill(template, { GROUPNAME: String(gid), GID: String(gid) })])
}

function fill(template: string, values: Readonly<Record<string, string>>): string {
  if (/[\n\0]/.test(template)) {
    throw new TsrunError(
      'invalid-argument',
      `cannot use the entry "${template}": it is no one line`,
    )
  }
  return template.replace(/\$([A-Z]+)/g, (word, name: string) => values[name] ?? word)
}

function hostUser(name: string): string {
  const lines = readFileSync('/etc/passwd', 'utf8').split('\n')
  const line = lines.find((text) => {
    const [entry] = parsePasswd(text)
    return entry !== undefined && (entry.name === name || String(entry.uid) === name)
  })
  if (line !== undefined) return line
  throw new TsrunError(
    'invalid-argument',
    `cannot use --hostuser "${name}": the host has no such user`,
    {
      hint: 'see /etc/passwd',
    },
  )
}

function joined(text: string, lines: readonly string[]): string {
  const head = text === '' || text.endsWith('\n') ? text : `${text}\n`
  return `${head}${lines.join('\n')}\n`
}

/** The rules of a zone, or of the host's own (`local`). */
function zoneFile(zone: string): Uint8Array {
  const isName = /^[A-Za-z0-9_+-]+(?:\/[A-Za-z0-9_+-]+)*$/.test(zone)
  const path = zone === 'local' ? '/etc/localtime' : `/usr/share/zoneinfo/${zone}`
  try {
    if (!isName) throw new RangeError('it is no name of a zone')
    return readFileSync(path)
  } catch (cause) {
    throw new TsrunError('invalid-argument', `cannot use --tz "${zone}"`, {
      cause,
      hint: 'give the name of a file below /usr/share/zoneinfo (Debian: tzdata), or local',
    })
  }
}
