/** Constants of the mount interfaces, old and new: <linux/mount.h>, mount(2), mount_setattr(2), fsopen(2). */

/** mount(2) flags, <linux/mount.h>. */
export const MS_RDONLY = 1
export const MS_NOSUID = 2
export const MS_NODEV = 4
export const MS_NOEXEC = 8
export const MS_SYNCHRONOUS = 16
export const MS_REMOUNT = 32
export const MS_MANDLOCK = 64
export const MS_DIRSYNC = 128
export const MS_NOSYMFOLLOW = 256
export const MS_NOATIME = 1024
export const MS_NODIRATIME = 2048
export const MS_BIND = 4096
export const MS_MOVE = 8192
export const MS_REC = 16384
export const MS_SILENT = 32768
export const MS_POSIXACL = 1 << 16
export const MS_UNBINDABLE = 1 << 17
export const MS_PRIVATE = 1 << 18
export const MS_SLAVE = 1 << 19
export const MS_SHARED = 1 << 20
export const MS_RELATIME = 1 << 21
export const MS_KERNMOUNT = 1 << 22
export const MS_I_VERSION = 1 << 23
export const MS_STRICTATIME = 1 << 24
export const MS_LAZYTIME = 1 << 25

/** umount2(2) flags, <linux/fs.h>. */
export const MNT_FORCE = 1
export const MNT_DETACH = 2
export const MNT_EXPIRE = 4
export const UMOUNT_NOFOLLOW = 8

/** mount_setattr(2) and fsmount(2) attributes, <linux/mount.h>. */
export const MOUNT_ATTR_RDONLY = 0x0000_0001
export const MOUNT_ATTR_NOSUID = 0x0000_0002
export const MOUNT_ATTR_NODEV = 0x0000_0004
export const MOUNT_ATTR_NOEXEC = 0x0000_0008
/** A field of two bits, not a flag: to set one atime mode, clear the whole field. */
export const MOUNT_ATTR__ATIME = 0x0000_0070
export const MOUNT_ATTR_RELATIME = 0x0000_0000
export const MOUNT_ATTR_NOATIME = 0x0000_0010
export const MOUNT_ATTR_STRICTATIME = 0x0000_0020
export const MOUNT_ATTR_NODIRATIME = 0x0000_0080
/** Linux 5.12. */
export const MOUNT_ATTR_IDMAP = 0x0010_0000
/** Linux 5.14. */
export const MOUNT_ATTR_NOSYMFOLLOW = 0x0020_0000
/** sizeof(struct mount_attr) of its first version. */
export const MOUNT_ATTR_SIZE_VER0 = 32

/** open_tree(2), <linux/mount.h>. */
export const OPEN_TREE_CLONE = 1
/** Equal to O_CLOEXEC. */
export const OPEN_TREE_CLOEXEC = 0o2000000

/** fsopen(2), fspick(2) and fsmount(2), <linux/mount.h>. */
export const FSOPEN_CLOEXEC = 1
export const FSMOUNT_CLOEXEC = 1
export const FSPICK_CLOEXEC = 1
export const FSPICK_SYMLINK_NOFOLLOW = 2
export const FSPICK_NO_AUTOMOUNT = 4
export const FSPICK_EMPTY_PATH = 8

/** fsconfig(2) commands, <linux/mount.h> enum fsconfig_command. */
export const FSCONFIG_SET_FLAG = 0
export const FSCONFIG_SET_STRING = 1
export const FSCONFIG_SET_BINARY = 2
export const FSCONFIG_SET_PATH = 3
export const FSCONFIG_SET_PATH_EMPTY = 4
export const FSCONFIG_SET_FD = 5
export const FSCONFIG_CMD_CREATE = 6
export const FSCONFIG_CMD_RECONFIGURE = 7
/** Linux 6.6. */
export const FSCONFIG_CMD_CREATE_EXCL = 8

/** move_mount(2), <linux/mount.h>. */
export const MOVE_MOUNT_F_SYMLINKS = 0x01
export const MOVE_MOUNT_F_AUTOMOUNTS = 0x02
export const MOVE_MOUNT_F_EMPTY_PATH = 0x04
export const MOVE_MOUNT_T_SYMLINKS = 0x10
export const MOVE_MOUNT_T_AUTOMOUNTS = 0x20
export const MOVE_MOUNT_T_EMPTY_PATH = 0x40

/** config.json rootfsPropagation and mount propagation options by name: mount(2), `r` is recursive. */
export const PROPAGATION_FLAGS: Readonly<Record<string, number>> = {
  private: MS_PRIVATE,
  rprivate: MS_PRIVATE | MS_REC,
  slave: MS_SLAVE,
  rslave: MS_SLAVE | MS_REC,
  shared: MS_SHARED,
  rshared: MS_SHARED | MS_REC,
  unbindable: MS_UNBINDABLE,
  runbindable: MS_UNBINDABLE | MS_REC,
}
