/** The mount options that tsrun understands, for `features` (runtime-spec features.md, mountOptions). */

const ATTRIBUTES = [
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

const PROPAGATION = ['private', 'shared', 'slave', 'unbindable'] as const

export const KNOWN_MOUNT_OPTIONS: readonly string[] = [
  ...ATTRIBUTES,
  ...ATTRIBUTES.map((option) => `r${option}`),
  ...PROPAGATION,
  ...PROPAGATION.map((option) => `r${option}`),
  'bind',
  'rbind',
  'remount',
  'idmap',
  'ridmap',
  'tmpcopyup',
  'defaults',
  'sync',
  'async',
  'dirsync',
  'mand',
  'nomand',
  'lazytime',
  'nolazytime',
  'silent',
  'loud',
  'iversion',
  'noiversion',
]
