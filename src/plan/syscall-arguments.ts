/** How `tsrun explain` shows the operands of each system call that plans use (from their man pages). */
import * as mount from '../linux/mount-flags.ts'
import * as namespaces from '../linux/namespaces.ts'
import * as open from '../linux/open-flags.ts'

export type StructKind =
  | 'open_how'
  | 'mount_attr'
  | 'clone_args'
  | 'rlimit'
  | 'sock_fprog'
  | 'capabilities'
  | 'record'
  | 'groups'
  | 'sched_attr'
  | 'mask'
  | 'message'

/** Flag names with their bits. */
export type FlagTable = Readonly<Record<string, number>>

export type ArgumentKind =
  | 'number'
  | 'fd'
  | 'mode'
  | 'hex'
  | 'pointer'
  /** NUL-terminated; `text` has its length beside it. */
  | 'string'
  | 'text'
  | 'strings'
  | StructKind
  | { readonly flags: FlagTable }
  | { readonly values: Readonly<Record<number, string>> }

function withPrefix(module: object, ...prefixes: readonly string[]): FlagTable {
  const entries = Object.entries(module).filter(
    (entry): entry is [string, number] =>
      typeof entry[1] === 'number' && prefixes.some((prefix) => entry[0].startsWith(prefix)),
  )
  return Object.fromEntries(entries)
}

export const OPEN_FLAGS: FlagTable = {
  ...withPrefix(open, 'O_'),
  O_DIRECTORY: open.openFlagsFor('x86_64').O_DIRECTORY,
  O_NOFOLLOW: open.openFlagsFor('x86_64').O_NOFOLLOW,
}
export const RESOLVE_FLAGS = withPrefix(open, 'RESOLVE_')
export const CLONE_FLAGS = withPrefix(namespaces, 'CLONE_')
export const MOUNT_ATTRIBUTES = withPrefix(mount, 'MOUNT_ATTR_')
export const PROPAGATION_TYPES: FlagTable = {
  MS_PRIVATE: mount.MS_PRIVATE,
  MS_SLAVE: mount.MS_SLAVE,
  MS_SHARED: mount.MS_SHARED,
  MS_UNBINDABLE: mount.MS_UNBINDABLE,
}

const AT_FLAGS: FlagTable = {
  AT_EMPTY_PATH: open.AT_EMPTY_PATH,
  AT_RECURSIVE: open.AT_RECURSIVE,
  AT_SYMLINK_NOFOLLOW: open.AT_SYMLINK_NOFOLLOW,
}
const OPEN_TREE_FLAGS: FlagTable = {
  ...AT_FLAGS,
  OPEN_TREE_CLONE: mount.OPEN_TREE_CLONE,
  OPEN_TREE_CLOEXEC: mount.OPEN_TREE_CLOEXEC,
}
const NAMESPACE_FLAGS = withPrefix(namespaces, 'CLONE_NEW')

const FSCONFIG_COMMANDS = {
  0: 'FSCONFIG_SET_FLAG',
  1: 'FSCONFIG_SET_STRING',
  2: 'FSCONFIG_SET_BINARY',
  3: 'FSCONFIG_SET_PATH',
  4: 'FSCONFIG_SET_PATH_EMPTY',
  5: 'FSCONFIG_SET_FD',
  6: 'FSCONFIG_CMD_CREATE',
  7: 'FSCONFIG_CMD_RECONFIGURE',
}

const PRCTL_OPTIONS = {
  4: 'PR_SET_DUMPABLE',
  8: 'PR_SET_KEEPCAPS',
  15: 'PR_SET_NAME',
  24: 'PR_CAPBSET_DROP',
  38: 'PR_SET_NO_NEW_PRIVS',
  47: 'PR_CAP_AMBIENT',
}

const IOCTLS = {
  46851: 'NS_GET_NSTYPE',
  35092: 'SIOCSIFFLAGS',
  1074025521: 'TIOCSPTLCK',
  21569: 'TIOCGPTPEER',
  21524: 'TIOCSWINSZ',
  21518: 'TIOCSCTTY',
}

const CLOSE_RANGE_FLAGS: FlagTable = { CLOSE_RANGE_CLOEXEC: 4 }

export const SYSCALL_ARGUMENTS: Readonly<Record<string, readonly ArgumentKind[]>> = {
  accept4: ['fd', 'pointer', 'pointer', { flags: { SOCK_CLOEXEC: 0o2000000 } }],
  capset: ['pointer', 'capabilities'],
  chdir: ['string'],
  chroot: ['string'],
  clone3: ['clone_args'],
  close: ['fd'],
  close_range: ['number', 'hex', { flags: CLOSE_RANGE_FLAGS }],
  dup3: ['fd', 'fd', { flags: OPEN_FLAGS }],
  execve: ['string', 'strings', 'strings'],
  faccessat2: ['fd', 'string', 'number', { flags: { ...AT_FLAGS, AT_EACCESS: open.AT_EACCESS } }],
  fchdir: ['fd'],
  fchown: ['fd', 'number', 'number'],
  fchownat: ['fd', 'string', 'number', 'number', { flags: AT_FLAGS }],
  fsetxattr: ['fd', 'string', 'string', 'number', 'number'],
  fsconfig: ['fd', { values: FSCONFIG_COMMANDS }, 'string', 'string'],
  fsmount: ['fd', { flags: { FSMOUNT_CLOEXEC: 1 } }, { flags: MOUNT_ATTRIBUTES }],
  fspick: ['fd', 'string', { flags: { FSPICK_CLOEXEC: 1, FSPICK_EMPTY_PATH: 8 } }],
  fstatfs: ['fd', 'pointer'],
  fsopen: ['string', { flags: { FSOPEN_CLOEXEC: 1 } }],
  ioctl: ['fd', { values: IOCTLS }],
  ioprio_set: [{ values: { 2: 'IOPRIO_WHO_PGRP' } }, 'number', 'hex'],
  keyctl: [{ values: { 1: 'KEYCTL_JOIN_SESSION_KEYRING' } }, 'string'],
  memfd_create: ['string', { flags: { MFD_CLOEXEC: 1 } }],
  mkdirat: ['fd', 'string', 'mode'],
  mknodat: ['fd', 'string', 'mode', 'hex'],
  mount_setattr: ['fd', 'string', { flags: AT_FLAGS }, 'mount_attr'],
  move_mount: ['fd', 'string', 'fd', 'string', { flags: withPrefix(mount, 'MOVE_MOUNT_') }],
  open_tree: ['fd', 'string', { flags: OPEN_TREE_FLAGS }],
  openat: ['fd', 'string', { flags: OPEN_FLAGS }, 'mode'],
  openat2: ['fd', 'string', 'open_how'],
  personality: [{ values: { 0: 'PER_LINUX', 8: 'PER_LINUX32' } }],
  pivot_root: ['string', 'string'],
  prctl: [{ values: PRCTL_OPTIONS }, 'string'],
  prlimit64: ['number', 'number', 'rlimit', 'pointer'],
  recvmsg: ['fd', 'pointer', { flags: { MSG_CMSG_CLOEXEC: 0x40000000 } }],
  sched_setaffinity: ['number', 'number', 'mask'],
  sched_setattr: ['number', 'sched_attr'],
  seccomp: [{ values: { 1: 'SECCOMP_SET_MODE_FILTER' } }, 'hex', 'sock_fprog'],
  sendmsg: ['fd', 'message', { flags: { MSG_NOSIGNAL: 0x4000 } }],
  sendto: ['fd', 'record', 'number', { flags: { MSG_NOSIGNAL: 0x4000 } }, 'pointer'],
  set_mempolicy: ['hex', 'mask'],
  setdomainname: ['text'],
  setgroups: ['number', 'groups'],
  sethostname: ['text'],
  setns: ['fd', { flags: NAMESPACE_FLAGS }],
  socketpair: [
    { values: { 1: 'AF_UNIX' } },
    { flags: { SOCK_SEQPACKET: 5, SOCK_CLOEXEC: 0o2000000 } },
    'number',
    'pointer',
  ],
  statx: ['fd', 'string', { flags: AT_FLAGS }, 'hex'],
  symlinkat: ['string', 'fd', 'string'],
  umask: ['mode'],
  umount2: ['string', { flags: { MNT_DETACH: 2 } }],
  unlinkat: ['fd', 'string', 'number'],
  unshare: [{ flags: NAMESPACE_FLAGS }],
  write: ['fd', 'text'],
}
