/** The mount options that tsrun understands (runtime-spec config.md, "Linux mount options"). */

/** Attributes of a mount; `r` before one means all mounts below it too. */
export const ATTRIBUTE_OPTIONS = [
  'ro',
  'rw',
  'nosuid',
  'suid',
  'nodev',
  'dev',
  'noexec',
  'exec',
  'nosymfollow',
  'symfollow',
  'noatime',
  'atime',
  'nodiratime',
  'diratime',
  'relatime',
  'norelatime',
  'strictatime',
  'nostrictatime',
] as const

/** Propagation; `r` before one means all mounts below it too. */
export const PROPAGATION_OPTIONS = ['private', 'shared', 'slave', 'unbindable'] as const

/** What fsconfig(2) knows of the superblock by name. */
export const SUPERBLOCK_OPTIONS = [
  'sync',
  'async',
  'dirsync',
  'mand',
  'nomand',
  'lazytime',
  'nolazytime',
] as const

/** Options of mount(2) alone, which change nothing here. */
export const OPTIONS_WITHOUT_EFFECT = [
  'defaults',
  'silent',
  'loud',
  'iversion',
  'noiversion',
] as const

/** All of them, for `features` (runtime-spec features.md, mountOptions). */
export const KNOWN_MOUNT_OPTIONS: readonly string[] = [
  ...ATTRIBUTE_OPTIONS,
  ...ATTRIBUTE_OPTIONS.map((option) => `r${option}`),
  ...PROPAGATION_OPTIONS,
  ...PROPAGATION_OPTIONS.map((option) => `r${option}`),
  'bind',
  'rbind',
  'remount',
  'idmap',
  'ridmap',
  'tmpcopyup',
  ...SUPERBLOCK_OPTIONS,
  ...OPTIONS_WITHOUT_EFFECT,
]
