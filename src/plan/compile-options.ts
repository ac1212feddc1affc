/** What compileCreate and compileExec need beside config.json: the caller's wishes and the host's facts. */
import type { HostFeatures } from './host-features.ts'
import type { Architecture } from './plan.ts'

/** A compiled seccomp filter, as src/seccomp/compile-filter.ts makes it. */
export interface SeccompProgram {
  /** struct sock_filter[], little endian. */
  readonly program: Uint8Array
  /** SECCOMP_FILTER_FLAG_* of seccomp(2). */
  readonly flags: number
}

export interface CompileOptions {
  readonly architecture: Architecture
  readonly features: HostFeatures
  readonly seccomp?: SeccompProgram
  /** The launcher stays, waits for the process and reports its wait status: for foreground runs. */
  readonly supervise: boolean
  /** With `supervise`: the launcher kills the process once the caller has gone. */
  readonly tethered?: boolean
  /** How many descriptors after stdio the process keeps (--preserve-fds). */
  readonly preservedFds: number
  /** A `console` descriptor (connected AF_UNIX stream) is handed over when process.terminal is true. */
  readonly console: boolean
  /** Do not give the process a session keyring of its own (--no-new-keyring). */
  readonly noNewKeyring?: boolean
}

export interface CompileCreateOptions extends CompileOptions {
  /** Absolute path of the root filesystem. */
  readonly rootfs: string
  /** A `gate` descriptor (listening AF_UNIX socket) is handed over; init waits there for `start`. */
  readonly gate: boolean
  /** Use MS_MOVE and chroot instead of pivot_root (--no-pivot, for a root on initramfs). */
  readonly noPivot?: boolean
  /** With `noPivot`: where the host shows a whole procfs or sysfs outside the root filesystem. */
  readonly wholeMounts?: readonly string[]
  readonly containerId: string
  /** Absolute path of the cgroup2 directory that init starts in. */
  readonly cgroupPath?: string
  readonly bundle: string
  /** Mount destinations that lead through a link to nothing, and where they lead, from the container's root on. */
  readonly danglingLinks?: Readonly<Record<string, string>>
  /** Node sets up the new network namespace while init waits. */
  readonly lendsNetwork?: boolean
  /** Where the host has its cgroup2 file system; /sys/fs/cgroup when absent. */
  readonly cgroupMount?: string
}

export interface CompileExecOptions extends CompileOptions {
  /** A `cgroup` descriptor (cgroup2 directory, O_PATH) is handed over and the process starts in it. */
  readonly cgroup: boolean
  readonly containerId: string
  /** CLONE_NEW* of the namespaces to join through the `container` pidfd descriptor. */
  readonly joinFlags: number
}
