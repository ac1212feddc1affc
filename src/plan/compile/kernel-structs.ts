/** Kernel structures as data of a plan: open_how, mount_attr, clone_args, msghdr. */
import type { DataRef, Operand, Slot } from '../instruction.ts'
import type { PlanBuilder } from '../plan-builder.ts'

export const OPEN_HOW_SIZE = 24 // linux/openat2.h: flags, mode, resolve
export const MOUNT_ATTR_SIZE = 32 // linux/mount.h: attr_set, attr_clr, propagation, userns_fd
export const CLONE_ARGS_SIZE = 88 // linux/sched.h: CLONE_ARGS_SIZE_VER2, with cgroup

/** struct open_how of openat2(2). */
export function openHow(b: PlanBuilder, flags: number, resolve: number, mode = 0): DataRef {
  return b.words([flags, mode, resolve])
}

export interface MountAttributes {
  readonly set?: number
  readonly clear?: number
  readonly propagation?: number
}

/** struct mount_attr of mount_setattr(2). */
export function mountAttr(b: PlanBuilder, attributes: MountAttributes): DataRef {
  return b.words([attributes.set ?? 0, attributes.clear ?? 0, attributes.propagation ?? 0, 0])
}

/** openat2(2) of `path` below `directory`. */
export function openBelow(
  b: PlanBuilder,
  directory: Operand,
  path: string,
  how: { readonly flags: number; readonly resolve: number; readonly mode?: number },
  options: {
    readonly tolerate?: readonly string[]
    readonly into?: Slot
    readonly note?: string
  } = {},
): Slot {
  const data = openHow(b, how.flags, how.resolve, how.mode)
  return b.sys('openat2', [directory, b.string(path), data, OPEN_HOW_SIZE], options)
}

/** struct clone_args of clone3(2); `cgroup` is a descriptor slot for CLONE_INTO_CGROUP. */
export function cloneArgs(
  b: PlanBuilder,
  flags: number | bigint,
  exitSignal: number,
  cgroup?: Slot,
): DataRef {
  // flags pidfd child_tid parent_tid exit_signal stack stack_size tls set_tid set_tid_size cgroup
  const data = b.words([flags, 0, 0, 0, exitSignal, 0, 0, 0, 0, 0, 0])
  if (cgroup !== undefined) b.store(8, data, 80, cgroup)
  return data
}

/** struct msghdr of sendmsg(2) that carries `text` and the descriptor `fd` (SCM_RIGHTS, unix(7)). */
export function descriptorMessage(b: PlanBuilder, text: string, fd: Operand): DataRef {
  const SOL_SOCKET = 1n
  const SCM_RIGHTS = 1n
  const CMSG_LENGTH = 20 // CMSG_LEN(sizeof(int)) in 64-bit
  const payload = b.string(text)
  const vector = b.words([payload, payload.length - 1])
  const control = b.words([CMSG_LENGTH, SOL_SOCKET | (SCM_RIGHTS << 32n), 0])
  b.store(4, control, 16, fd)
  // msg_name, msg_namelen, msg_iov, msg_iovlen, msg_control, msg_controllen, msg_flags
  return b.words([0, 0, vector, 1, control, 24, 0])
}

export interface ReceivedMessage {
  /** struct msghdr for recvmsg(2). */
  readonly header: DataRef
  /** The first bytes of the message. */
  readonly text: DataRef
  /** struct cmsghdr; the descriptor is the 32-bit word at 16. */
  readonly control: DataRef
}

/** Room for one message of recvmsg(2) with one descriptor. */
export function receivedMessage(b: PlanBuilder): ReceivedMessage {
  const text = b.zeros(8)
  const control = b.zeros(24)
  const vector = b.words([text, text.length])
  return { header: b.words([0, 0, vector, 1, control, 24, 0]), text, control }
}
