/**
 * Attributes of a bind mount, by the rules of mount(2) MS_REMOUNT|MS_BIND, which runc and crun use: an
 * option that names one sets all of them, and those that no option names are cleared. Callers count on
 * it: a `ro` mount of a directory on a `noexec` file system has programs that run.
 */
import {
  MOUNT_ATTR__ATIME,
  MOUNT_ATTR_NOATIME,
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_NODIRATIME,
  MOUNT_ATTR_NOEXEC,
  MOUNT_ATTR_NOSUID,
  MOUNT_ATTR_NOSYMFOLLOW,
  MOUNT_ATTR_RDONLY,
  MOUNT_ATTR_STRICTATIME,
} from '../../linux/mount-flags.ts'
import type { AttributeChange } from './mount-options.ts'

export interface BindAttributes {
  /** What the options ask for: an error where the host has locked the opposite. */
  readonly asked: AttributeChange
  /** What goes because no option names it; stays, all of it, where the host has locked one. */
  readonly unnamed: number
}

const FLAGS: Readonly<Record<string, number>> = {
  ro: MOUNT_ATTR_RDONLY,
  nosuid: MOUNT_ATTR_NOSUID,
  nodev: MOUNT_ATTR_NODEV,
  noexec: MOUNT_ATTR_NOEXEC,
  nosymfollow: MOUNT_ATTR_NOSYMFOLLOW,
}
const ATIME_WORDS = ['noatime', 'nodiratime', 'relatime', 'strictatime'] as const
/** Option → the option that it takes back. */
const OPPOSITES: Readonly<Record<string, string>> = {
  rw: 'ro',
  suid: 'nosuid',
  dev: 'nodev',
  exec: 'noexec',
  symfollow: 'nosymfollow',
  atime: 'noatime',
  diratime: 'nodiratime',
  norelatime: 'relatime',
  nostrictatime: 'strictatime',
}

/** The change that `options` make, or undefined where none names an attribute: then the source's stay. */
export function bindAttributes(options: readonly string[]): BindAttributes | undefined {
  const named = new Set<string>()
  const lifted = new Set<string>()
  for (const option of options) {
    const opposite = Object.hasOwn(OPPOSITES, option) ? OPPOSITES[option] : undefined
    if (opposite !== undefined) {
      named.delete(opposite)
      lifted.add(opposite)
    } else if (Object.hasOwn(FLAGS, option) || isAtime(option)) {
      named.add(option)
      lifted.delete(option)
    }
  }
  if (named.size + lifted.size === 0) return undefined
  const atime = atimeChange(named)
  const set = flagsOf(named)
  // The host cannot lock this one (mount_namespaces(7)), so it always goes.
  const symlinks = MOUNT_ATTR_NOSYMFOLLOW & ~set
  const clear = flagsOf(lifted) | symlinks
  return {
    asked: { set: set | atime.set, clear: clear | atime.clear },
    unnamed: flagsOf(Object.keys(FLAGS)) & ~set & ~clear,
  }
}

function isAtime(option: string): option is (typeof ATIME_WORDS)[number] {
  return (ATIME_WORDS as readonly string[]).includes(option)
}

// fs/namespace.c, path_mount(): one of these replaces the whole mode, relatime where it does not say;
// without one, whatever was lifted, the mode stays.
function atimeChange(named: ReadonlySet<string>): AttributeChange {
  if (!ATIME_WORDS.some((word) => named.has(word))) return { set: 0, clear: 0 }
  const directories = named.has('nodiratime') ? MOUNT_ATTR_NODIRATIME : 0
  const clear = MOUNT_ATTR__ATIME | (MOUNT_ATTR_NODIRATIME & ~directories)
  return { set: modeOf(named) | directories, clear }
}

function modeOf(named: ReadonlySet<string>): number {
  if (named.has('strictatime')) return MOUNT_ATTR_STRICTATIME
  return named.has('noatime') ? MOUNT_ATTR_NOATIME : 0
}

function flagsOf(words: Iterable<string>): number {
  let flags = 0
  for (const word of words) flags |= FLAGS[word] ?? 0
  return flags
}
