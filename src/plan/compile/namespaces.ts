/** Joins namespaces by path and starts init in the new ones (namespaces(7), setns(2), clone3(2)). */

import {
  CLONE_INTO_CGROUP,
  CLONE_NEWNET,
  CLONE_NEWTIME,
  CLONE_VM,
  NAMESPACES,
} from '../../linux/namespaces.ts'
import { AT_FDCWD, O_CLOEXEC, O_RDONLY, O_WRONLY } from '../../linux/open-flags.ts'
import type { Namespace, NamespaceType, RuntimeConfig } from '../../oci/runtime-config.ts'
import type { CompileOptions } from '../compile-options.ts'
import type { HostFeatures } from '../host-features.ts'
import type { Slot } from '../instruction.ts'
import type { PlanBuilder } from '../plan-builder.ts'
import { type CreateContext, hasNamespace } from './create-context.ts'
import { emitLoopback } from './hostname.ts'
import { CLONE_ARGS_SIZE, cloneArgs } from './kernel-structs.ts'
import { emitUndumpable } from './process-attributes.ts'
import { emitRecord } from './report-records.ts'

const NS_GET_NSTYPE = 0xb703 // linux/nsfs.h: _IO(0xb7, 3)
const EINVAL = 22
const SIGCHLD = 17
const WALL = 0x40000000
const SIGKILL = 9
const POLLIN = 1
const SIG_SETMASK = 2
const ALL_SIGNALS = 0xffff_ffff_ffff_ffffn

// The user namespace comes last: joining it gives away the caller's own rights over the others.
const JOIN_ORDER: readonly NamespaceType[] = [
  'time',
  'ipc',
  'uts',
  'network',
  'cgroup',
  'pid',
  'mount',
  'user',
]

/**
 * Opens every namespace file first, checks its type, then joins: after a setns the paths may be gone. Without root
 * the user namespace is what gives the right to join the others.
 */
export function emitJoinNamespaces(
  b: PlanBuilder,
  namespaces: readonly Namespace[],
  { rootless }: Pick<HostFeatures, 'rootless'>,
): void {
  const order = rootless === true ? ['user', ...JOIN_ORDER] : JOIN_ORDER
  const joined = namespaces
    .map((namespace, index) => ({ namespace, index, order: order.indexOf(namespace.type) }))
    .filter(({ namespace }) => namespace.path !== undefined && namespace.path !== '')
    .sort((a, z) => a.order - z.order)
    .map(({ namespace, index }) => ({
      index,
      flag: NAMESPACES[namespace.type].cloneFlag,
      fd: b.at(`/linux/namespaces/${index}`, () => openNamespace(b, namespace)),
    }))
  for (const { index, flag, fd } of joined) {
    b.at(`/linux/namespaces/${index}`, () => b.run('setns', [fd, flag]))
    if (flag === NAMESPACES.user.cloneFlag) emitUndumpable(b)
  }
}

function openNamespace(b: PlanBuilder, namespace: Namespace): Slot {
  const fd = b.sys('openat', [AT_FDCWD, b.string(namespace.path ?? ''), O_RDONLY | O_CLOEXEC, 0])
  const type = b.sys('ioctl', [fd, NS_GET_NSTYPE], { tolerate: ['ENOTTY'] })
  const right = b.label()
  b.branch(type, 'eq', NAMESPACES[namespace.type].cloneFlag, right)
  b.fail(EINVAL, `not a ${namespace.type} namespace`)
  b.place(right)
  return fd
}

/** CLONE_NEW* of the namespaces made by clone3; cgroup and time namespaces are made apart. */
export function newNamespaceFlags(namespaces: readonly Namespace[]): number {
  return namespaces
    .filter(
      ({ path, type }) =>
        (path === undefined || path === '') && type !== 'cgroup' && type !== 'time',
    )
    .reduce((flags, { type }) => flags | NAMESPACES[type].cloneFlag, 0)
}

/**
 * Whether the launcher can make the network namespace for init, long before the others are needed: it is the
 * one that takes the kernel longest. In a new user namespace it belongs to that.
 */
export function makesNetworkEarly(config: RuntimeConfig): boolean {
  return hasNamespace(config, 'network', 'new') && !hasNamespace(config, 'user', 'any')
}

/** The launcher's own new network namespace, which init inherits, with its loopback interface up. */
export function emitNetworkNamespace(c: Pick<CreateContext, 'b' | 'config'>): void {
  c.b.at('/linux/namespaces', () => c.b.run('unshare', [CLONE_NEWNET], { note: 'network' }))
  emitLoopback(c)
}

/** A new time namespace: its offsets can be set only before the first process enters (time_namespaces(7)). */
export function emitTimeNamespace(
  b: PlanBuilder,
  offsets: Readonly<Record<string, { readonly secs?: number; readonly nanosecs?: number }>>,
): void {
  b.run('unshare', [CLONE_NEWTIME])
  const lines = Object.entries(offsets).map(
    ([clock, { secs, nanosecs }]) => `${clock} ${secs ?? 0} ${nanosecs ?? 0}\n`,
  )
  if (lines.length === 0) return
  b.at('/linux/timeOffsets', () => {
    const text = b.string(lines.join(''))
    const fd = b.sys('openat', [
      AT_FDCWD,
      b.string('/proc/self/timens_offsets'),
      O_WRONLY | O_CLOEXEC,
      0,
    ])
    b.run('write', [fd, text, text.length - 1])
    b.run('close', [fd])
  })
}

export interface CloneDetails {
  /** CLONE_NEW* */
  readonly flags: number
  /** The directory of the cgroup to start in. */
  readonly cgroup?: Slot | undefined
  /**
   * The child shares the launcher's memory until its exec, which saves the copy of the page tables. Not for a child
   * that a container's processes can see: one with CAP_SYS_PTRACE could write there, and the launcher is outside
   * (CVE-2016-9962). Nor for one in another time namespace (clone(2), EINVAL).
   */
  readonly sharesMemory: boolean
  /** Adds to the launcher's part. */
  readonly afterClone?: () => void
}

/**
 * clone3: the child goes on behind this; the launcher reports its pid and ends, or with
 * `supervise` waits for it and reports how it ended.
 */
export function emitClone(
  b: PlanBuilder,
  report: Slot,
  options: CompileOptions,
  { flags, cgroup, sharesMemory, afterClone }: CloneDetails,
): void {
  const into = cgroup !== undefined && options.features.cloneIntoCgroup
  const memory = sharesMemory ? CLONE_VM : 0
  const args = cloneArgs(
    b,
    flags + memory + (into ? CLONE_INTO_CGROUP : 0),
    SIGCHLD,
    into ? cgroup : undefined,
  )
  const child = b.label()
  const pid = memory === 0 ? b.sys('clone3', [args, CLONE_ARGS_SIZE]) : b.clone(args)
  b.branch(pid, 'eq', 0, child)
  b.at('launcher', () => {
    emitRecord(b, report, 'pid', pid)
    afterClone?.()
    if (options.supervise) emitSupervise(b, report, pid, options)
    b.exit(0)
  })
  b.place(child)
  if (options.supervise) emitSignalMask(b, 0n)
}

/**
 * Blocks all signals in a launcher that supervises: a key at the caller's terminal (Ctrl-C) goes to all
 * processes in the foreground, and a supervisor that it ended could not tell how the process ended.
 */
export function emitBlockSignals(b: PlanBuilder): void {
  emitSignalMask(b, ALL_SIGNALS)
}

function emitSignalMask(b: PlanBuilder, signals: bigint): void {
  b.at('launcher', () => b.run('rt_sigprocmask', [SIG_SETMASK, b.words([signals]), 0, 8]))
}

// Standard streams and inherited descriptors are closed, so that their other ends see the end of
// file when the container ends, not when its supervisor does.
function emitSupervise(b: PlanBuilder, report: Slot, pid: Slot, options: CompileOptions): void {
  const first = 3 + options.preservedFds
  b.run('close_range', [0, first, 0])
  b.run('close_range', [first + 2, 0xffffffff, 0])
  if (options.tethered === true) emitTether(b, report, pid)
  const status = b.zeros(8)
  b.run('wait4', [pid, status, WALL, 0])
  emitRecord(b, report, 'exited', b.load(4, status))
}

// Waits for the end of the process or of the caller, whichever comes first: a socket whose other end
// is closed polls POLLHUP without being asked (poll(2)). PR_SET_PDEATHSIG would not do: the process
// can clear it, and an exec of a set-user-ID program does.
function emitTether(b: PlanBuilder, report: Slot, pid: Slot): void {
  const pidfd = b.sys('pidfd_open', [pid, 0])
  const polled = b.zeros(16) // struct pollfd[2]
  b.store(4, polled, 0, pidfd)
  b.store(2, polled, 4, POLLIN)
  b.store(4, polled, 8, report)
  b.run('ppoll', [polled, 2, 0, 0, 8])
  // Not reaped yet: the signal finds the process, or what is left of it.
  b.run('pidfd_send_signal', [pidfd, SIGKILL, 0, 0], { tolerate: ['ESRCH'], note: 'tether' })
}
