/** What is wrong with an entry of `mounts`, where the errno does not tell. */
import type { Mount, RuntimeConfig } from '../oci/runtime-config.ts'
import type { Instruction } from '../plan/instruction.ts'

// The kernel lets a user namespace mount these along with the namespace that they show.
const OWNERS: Readonly<Record<string, string>> = { proc: 'pid', sysfs: 'network', mqueue: 'ipc' }

interface MountHint {
  readonly call: string
  readonly codes: readonly string[]
  readonly applies?: (mount: Mount, note: string) => boolean
  readonly hint: (mount: Mount) => string
}

const HINTS: readonly MountHint[] = [
  {
    call: 'openat2',
    codes: ['ELOOP', 'ENOTDIR'],
    applies: ({ type }) => type === 'proc' || type === 'sysfs',
    // Callers match runc's words.
    hint: ({ type }) => `filesystem "${type}" must be mounted on ordinary directory`,
  },
  {
    call: 'move_mount',
    codes: ['ENOTDIR'],
    hint: () => 'a directory can be mounted on a directory only, and a file on a file',
  },
  {
    call: 'mount_setattr',
    codes: ['EINVAL'],
    applies: ({ options = [] }) => options.includes('remount'),
    hint: ({ destination }) => `nothing is mounted on ${destination} yet`,
  },
  {
    call: 'mount_setattr',
    codes: ['EINVAL', 'EPERM'],
    applies: (_, note) => note === 'MOUNT_ATTR_IDMAP',
    hint: () =>
      'the file system of the source has no id mapped mounts on this kernel, or its ids are mapped already',
  },
  {
    call: 'mount_setattr',
    codes: ['EPERM'],
    hint: () => 'the host locked an attribute of this mount: leave out the option that lifts it',
  },
  {
    call: 'fsconfig',
    codes: ['EINVAL'],
    applies: (_, note) => /^[ug]id=/.test(note),
    hint: () =>
      'in a user namespace this is an id of the container, and linux.uidMappings or gidMappings must map it',
  },
  {
    call: 'fsconfig',
    codes: ['EINVAL'],
    applies: (_, note) => !note.startsWith('create'),
    hint: ({ type }) => `${type} does not know this option, or not with this value`,
  },
  // fsopen(2) asks a caller without root, fsconfig(2) all others.
  ...['fsopen', 'fsconfig'].map((call) => ({
    call,
    codes: ['EPERM'],
    applies: ({ type = '' }: Mount) => type in OWNERS,
    hint: ({ type = '' }: Mount) =>
      `in a user namespace ${type} needs a ${OWNERS[type]} namespace of its own${type === 'sysfs' ? ', or be a bind mount of /sys, as tsrun spec --rootless has it' : ''}`,
  })),
  ...['mkdirat', 'openat'].map((call) => ({
    call,
    codes: ['EROFS'],
    hint: () => 'the mount point is missing in a read-only file system: make it in the image',
  })),
]

/** A clause without a final period, or undefined when `instruction` is not of a mount or tells enough. */
export function mountHint(
  instruction: Instruction | undefined,
  config: RuntimeConfig,
  code: string,
): string | undefined {
  const index = /^\/mounts\/(\d+)$/.exec(instruction?.origin ?? '')?.[1]
  const mount = index === undefined ? undefined : config.mounts?.[Number(index)]
  if (mount === undefined || instruction?.op !== 'sys') return undefined
  const { name, note = '' } = instruction
  return HINTS.find(
    ({ call, codes, applies }) =>
      call === name && codes.includes(code) && (applies?.(mount, note) ?? true),
  )?.hint(mount)
}
