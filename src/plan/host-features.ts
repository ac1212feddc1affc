/** What the compiler must know about the kernel: probed once, never guessed from a version. */

export interface HostFeatures {
  /** clone3(CLONE_INTO_CGROUP) works on the cgroup in use (5.7). */
  readonly cloneIntoCgroup: boolean
  /** The highest capability the kernel knows (/proc/sys/kernel/cap_last_cap). */
  readonly lastCapability: number
  /** Known to the kernel, but not in our bounding set: not ours to give, but in a user namespace. */
  readonly withheldCapabilities: readonly string[]
  /** The kernel was built with time namespaces (5.6). */
  readonly timeNamespaces: boolean
  /** mknod(2) of devices is allowed to us: CAP_MKNOD, in the first user namespace. */
  readonly makesDevices: boolean
  readonly apparmor: boolean
  readonly selinux: boolean
  /** We are not root: all that needs rights waits for those that a user namespace gives. */
  readonly rootless?: boolean
  /** We are in a user namespace where setgroups(2) is denied. */
  readonly deniesGroups?: boolean
}
