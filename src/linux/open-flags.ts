/** Constants of open(2), openat2(2), the *at calls and file modes, with the values of x86_64. */

/**
 * <asm-generic/fcntl.h>. aarch64 permutes four of them (<asm/fcntl.h> of arm): use
 * openFlagsFor('aarch64') where the plan names one of these.
 */
export const O_RDONLY = 0
export const O_WRONLY = 1
export const O_RDWR = 2
export const O_ACCMODE = 3
export const O_CREAT = 0o100
export const O_EXCL = 0o200
export const O_NOCTTY = 0o400
export const O_TRUNC = 0o1000
export const O_APPEND = 0o2000
export const O_NONBLOCK = 0o4000
export const O_NOATIME = 0o1000000
export const O_CLOEXEC = 0o2000000
export const O_PATH = 0o10000000

export interface ArchitectureOpenFlags {
  readonly O_DIRECT: number
  readonly O_LARGEFILE: number
  readonly O_DIRECTORY: number
  readonly O_NOFOLLOW: number
  readonly O_TMPFILE: number
}

const OPEN_FLAGS: Readonly<Record<'x86_64' | 'aarch64', ArchitectureOpenFlags>> = {
  // <asm-generic/fcntl.h>
  x86_64: {
    O_DIRECT: 0o40000,
    O_LARGEFILE: 0o100000,
    O_DIRECTORY: 0o200000,
    O_NOFOLLOW: 0o400000,
    O_TMPFILE: 0o20000000 | 0o200000,
  },
  // <asm/fcntl.h> of arch/arm64/include/uapi
  aarch64: {
    O_DIRECT: 0o200000,
    O_LARGEFILE: 0o400000,
    O_DIRECTORY: 0o40000,
    O_NOFOLLOW: 0o100000,
    O_TMPFILE: 0o20000000 | 0o40000,
  },
}

/** The open(2) flags whose value depends on the architecture. */
export function openFlagsFor(architecture: 'x86_64' | 'aarch64'): ArchitectureOpenFlags {
  return OPEN_FLAGS[architecture]
}

/** <linux/fcntl.h>. */
export const AT_FDCWD = -100
export const AT_SYMLINK_NOFOLLOW = 0x100
export const AT_EACCESS = 0x200
export const AT_REMOVEDIR = 0x200
export const AT_SYMLINK_FOLLOW = 0x400
export const AT_NO_AUTOMOUNT = 0x800
export const AT_EMPTY_PATH = 0x1000
export const AT_RECURSIVE = 0x8000

/** openat2(2), <linux/openat2.h>. */
export const RESOLVE_NO_XDEV = 0x01
export const RESOLVE_NO_MAGICLINKS = 0x02
export const RESOLVE_NO_SYMLINKS = 0x04
export const RESOLVE_BENEATH = 0x08
export const RESOLVE_IN_ROOT = 0x10
export const RESOLVE_CACHED = 0x20
/** sizeof(struct open_how) of its first version. */
export const OPEN_HOW_SIZE_VER0 = 24

/** renameat2(2), <linux/fs.h>. */
export const RENAME_NOREPLACE = 1
export const RENAME_EXCHANGE = 2
export const RENAME_WHITEOUT = 4

/** inode(7), <linux/stat.h>. */
export const S_IFMT = 0o170000
export const S_IFSOCK = 0o140000
export const S_IFLNK = 0o120000
export const S_IFREG = 0o100000
export const S_IFBLK = 0o060000
export const S_IFDIR = 0o040000
export const S_IFCHR = 0o020000
export const S_IFIFO = 0o010000
export const S_ISUID = 0o4000
export const S_ISGID = 0o2000
export const S_ISVTX = 0o1000
