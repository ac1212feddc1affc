/** --tmpfs, and the options that a tmpfs takes. */
import { refuseNul, refuseOption } from './invalid-option.ts'
import { cleanDestination, PLAIN_MOUNT, type UserMount } from './user-mount.ts'

export const TMPFS_DEFAULTS: readonly string[] = ['noexec', 'nosuid', 'nodev']
const TMPFS_FLAGS = new Set(
  'rw ro suid nosuid dev nodev exec noexec sync async dirsync atime noatime diratime nodiratime relatime norelatime strictatime nostrictatime tmpcopyup'.split(
    ' ',
  ),
)
/** tmpfs(5). */
const TMPFS_VALUES: Readonly<Record<string, RegExp>> = {
  size: /^\d+[kKmMgG%]?$/,
  nr_blocks: /^\d+[kKmMgG]?$/,
  nr_inodes: /^\d+[kKmMgG]?$/,
  mode: /^[0-7]{1,4}$/,
  uid: /^\d{1,10}$/,
  gid: /^\d{1,10}$/,
}

/** `path[:options]`. */
export function parseTmpfs(text: string): UserMount {
  refuseNul('tmpfs', text)
  const colon = text.indexOf(':')
  const destination = colon === -1 ? text : text.slice(0, colon)
  const given = colon === -1 ? [] : text.slice(colon + 1).split(',')
  const options = given.filter((option) => option !== '' && option !== 'notmpcopyup')
  return {
    ...PLAIN_MOUNT,
    type: 'tmpfs',
    destination: cleanDestination('tmpfs', text, destination),
    options: [...TMPFS_DEFAULTS, ...options.map((option) => checkTmpfsOption(option, text))],
    readOnly: options.lastIndexOf('ro') > options.lastIndexOf('rw'),
    mode: given.join(','),
  }
}

/** `option` itself; throws naming `text` for what a tmpfs does not take. */
export function checkTmpfsOption(option: string, text: string): string {
  if (TMPFS_FLAGS.has(option)) return option
  const equals = option.indexOf('=')
  const key = equals === -1 ? option : option.slice(0, equals)
  const pattern = Object.hasOwn(TMPFS_VALUES, key) ? TMPFS_VALUES[key] : undefined
  if (pattern === undefined)
    refuseOption('tmpfs', text, `${JSON.stringify(key)} is not an option of tmpfs`)
  if (equals === -1 || !pattern.test(option.slice(equals + 1))) {
    refuseOption('tmpfs', text, `${JSON.stringify(option)} has no valid value`)
  }
  return option
}
