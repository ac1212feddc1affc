/** Namespace types of the OCI spec with their clone flag and /proc file: <linux/sched.h>, namespaces(7). */

/** config.json's names for the namespace types. */
export type NamespaceKind = 'pid' | 'network' | 'mount' | 'ipc' | 'uts' | 'user' | 'cgroup' | 'time'

/** <linux/sched.h>. */
export const CLONE_NEWTIME = 0x0000_0080
export const CLONE_NEWNS = 0x0002_0000
export const CLONE_NEWCGROUP = 0x0200_0000
export const CLONE_NEWUTS = 0x0400_0000
export const CLONE_NEWIPC = 0x0800_0000
export const CLONE_NEWUSER = 0x1000_0000
export const CLONE_NEWPID = 0x2000_0000
export const CLONE_NEWNET = 0x4000_0000

/** <linux/sched.h>: other clone flags that starting a process needs. */
export const CLONE_VM = 0x0000_0100
export const CLONE_PIDFD = 0x0000_1000
export const CLONE_VFORK = 0x0000_4000
export const CLONE_PARENT = 0x0000_8000
/** clone3(2) only, Linux 5.7. */
export const CLONE_INTO_CGROUP = 0x2_0000_0000

export interface NamespaceFacts {
  /** CLONE_NEW* for clone3, unshare and setns. */
  readonly cloneFlag: number
  /** File name under /proc/<pid>/ns. */
  readonly procFile: string
}

export const NAMESPACES: Readonly<Record<NamespaceKind, NamespaceFacts>> = {
  // A time namespace takes effect for children only; time_for_children is what unshare changes
  // (time_namespaces(7)), `time` is what a member is in.
  time: { cloneFlag: CLONE_NEWTIME, procFile: 'time' },
  mount: { cloneFlag: CLONE_NEWNS, procFile: 'mnt' },
  cgroup: { cloneFlag: CLONE_NEWCGROUP, procFile: 'cgroup' },
  uts: { cloneFlag: CLONE_NEWUTS, procFile: 'uts' },
  ipc: { cloneFlag: CLONE_NEWIPC, procFile: 'ipc' },
  user: { cloneFlag: CLONE_NEWUSER, procFile: 'user' },
  pid: { cloneFlag: CLONE_NEWPID, procFile: 'pid' },
  network: { cloneFlag: CLONE_NEWNET, procFile: 'net' },
}

/** Whether `text` is a namespace type of the OCI spec. */
export function isNamespaceKind(text: string): text is NamespaceKind {
  return Object.hasOwn(NAMESPACES, text)
}
