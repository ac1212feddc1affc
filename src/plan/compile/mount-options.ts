/** Mount option strings of config.json as kernel values (runtime-spec config.md "Linux mount options", mount(8)). */
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
  MS_PRIVATE,
  MS_SHARED,
  MS_SLAVE,
  MS_UNBINDABLE,
} from '../../linux/mount-flags.ts'
import {
  type ATTRIBUTE_OPTIONS,
  OPTIONS_WITHOUT_EFFECT,
  type PROPAGATION_OPTIONS,
  SUPERBLOCK_OPTIONS,
} from '../../oci/mount-option-names.ts'
import type { Mount } from '../../oci/runtime-config.ts'

export interface AttributeChange {
  readonly set: number
  readonly clear: number
}

export interface Propagation {
  readonly type: number
  readonly recursive: boolean
}

export interface MountOptions {
  /** `bind` or `rbind` was asked for. */
  readonly bind?: 'bind' | 'rbind'
  /** Change what is mounted there already. */
  readonly remount: boolean
  /** MOUNT_ATTR_* of the mount itself. */
  readonly own: AttributeChange
  /** MOUNT_ATTR_* of the mount and all below it (`rro`, `rnosuid`, …). */
  readonly recursive: AttributeChange
  readonly propagation: readonly Propagation[]
  /** Options that the filesystem itself reads: [key, value], value undefined for flags. */
  readonly filesystem: readonly (readonly [string, string | undefined])[]
  /** Options that tsrun does not do, by name. */
  readonly unsupported: readonly string[]
}

const ATTRIBUTES: Readonly<Record<(typeof ATTRIBUTE_OPTIONS)[number], AttributeChange>> = {
  ro: { set: MOUNT_ATTR_RDONLY, clear: 0 },
  rw: { set: 0, clear: MOUNT_ATTR_RDONLY },
  nosuid: { set: MOUNT_ATTR_NOSUID, clear: 0 },
  suid: { set: 0, clear: MOUNT_ATTR_NOSUID },
  nodev: { set: MOUNT_ATTR_NODEV, clear: 0 },
  dev: { set: 0, clear: MOUNT_ATTR_NODEV },
  noexec: { set: MOUNT_ATTR_NOEXEC, clear: 0 },
  exec: { set: 0, clear: MOUNT_ATTR_NOEXEC },
  nosymfollow: { set: MOUNT_ATTR_NOSYMFOLLOW, clear: 0 },
  symfollow: { set: 0, clear: MOUNT_ATTR_NOSYMFOLLOW },
  nodiratime: { set: MOUNT_ATTR_NODIRATIME, clear: 0 },
  diratime: { set: 0, clear: MOUNT_ATTR_NODIRATIME },
  // The atime mode is one field, not flags: every change clears it first (mount_setattr(2)).
  noatime: { set: MOUNT_ATTR_NOATIME, clear: MOUNT_ATTR__ATIME },
  atime: { set: 0, clear: MOUNT_ATTR__ATIME },
  relatime: { set: 0, clear: MOUNT_ATTR__ATIME },
  norelatime: { set: 0, clear: MOUNT_ATTR__ATIME },
  strictatime: { set: MOUNT_ATTR_STRICTATIME, clear: MOUNT_ATTR__ATIME },
  nostrictatime: { set: 0, clear: MOUNT_ATTR__ATIME },
}

const PROPAGATION: Readonly<Record<(typeof PROPAGATION_OPTIONS)[number], number>> = {
  private: MS_PRIVATE,
  slave: MS_SLAVE,
  shared: MS_SHARED,
  unbindable: MS_UNBINDABLE,
}

const attributes: ReadonlyMap<string, AttributeChange> = new Map(Object.entries(ATTRIBUTES))
const propagations: ReadonlyMap<string, Propagation> = new Map(
  Object.entries(PROPAGATION).flatMap(([option, type]): [string, Propagation][] => [
    [option, { type, recursive: false }],
    [`r${option}`, { type, recursive: true }],
  ]),
)
const superblockFlags: ReadonlySet<string> = new Set(SUPERBLOCK_OPTIONS)
const withoutEffect: ReadonlySet<string> = new Set(OPTIONS_WITHOUT_EFFECT)

// id-mapping-option.ts and tmpfs-copy-up.ts read these.
const READ_ELSEWHERE = /^(?:r?idmap(?:=.*)?|tmpcopyup)$/
const UNSUPPORTED = new Set(['copy-symlink', 'src-nofollow', 'dest-nofollow'])

/** Propagation of `linux.rootfsPropagation` or a mount option, or undefined for an unknown word. */
export function parsePropagation(option: string): Propagation | undefined {
  return propagations.get(option)
}

/** Sorts `options` by what the kernel takes them as; later options win over earlier ones. */
export function parseMountOptions(options: readonly string[]): MountOptions {
  let bind: MountOptions['bind']
  let remount = false
  let own: AttributeChange = { set: 0, clear: 0 }
  let recursive: AttributeChange = { set: 0, clear: 0 }
  const propagation: Propagation[] = []
  const filesystem: (readonly [string, string | undefined])[] = []
  const unsupported: string[] = []
  for (const option of options) {
    const attribute = attributes.get(option)
    const deep = option.startsWith('r') ? attributes.get(option.slice(1)) : undefined
    const spread = propagations.get(option)
    if (attribute !== undefined) own = combine(own, attribute)
    else if (deep !== undefined) recursive = combine(recursive, deep)
    else if (spread !== undefined) propagation.push(spread)
    else if (option === 'bind' || option === 'rbind') bind = option
    else if (option === 'remount') remount = true
    else if (UNSUPPORTED.has(option)) unsupported.push(option)
    else if (!READ_ELSEWHERE.test(option) && !withoutEffect.has(option))
      filesystem.push(...splitData(option))
  }
  return {
    ...(bind === undefined ? {} : { bind }),
    remount,
    own,
    recursive,
    propagation,
    filesystem,
    unsupported,
  }
}

/** Whether `mount` is a bind mount: by its options, or by the type that some callers write. */
export function isBind(mount: Mount, options: MountOptions): boolean {
  return options.bind !== undefined || mount.type === 'bind'
}

function combine(before: AttributeChange, change: AttributeChange): AttributeChange {
  return {
    set: (before.set & ~change.clear) | change.set,
    clear: (before.clear & ~(change.set & ~MOUNT_ATTR__ATIME)) | change.clear,
  }
}

// mount(2) takes these as one string with commas, and callers write several into one option. Quotes
// keep commas together (SELinux contexts), and so does a backslash (overlay).
function splitData(data: string): readonly (readonly [string, string | undefined])[] {
  const parts = data.match(/(?:\\.|"[^"]*"|[^,])+/g) ?? []
  return parts.map(splitOption)
}

function splitOption(option: string): readonly [string, string | undefined] {
  const equals = option.indexOf('=')
  if (equals < 0 || superblockFlags.has(option)) return [option, undefined]
  return [option.slice(0, equals), option.slice(equals + 1).replace(/^"(.*)"$/, '$1')]
}
