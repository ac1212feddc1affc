/** Short-lived children of the launcher, each at the other end of a socket (socketpair(2), clone3(2)). */
import type { Slot } from '../instruction.ts'
import type { PlanBuilder } from '../plan-builder.ts'
import {
  CLONE_ARGS_SIZE,
  cloneArgs,
  descriptorMessage,
  type ReceivedMessage,
  receivedMessage,
} from './kernel-structs.ts'
import { EXIT_ABANDONED } from './report-records.ts'

const AF_UNIX = 1
const SOCK_SEQPACKET_CLOEXEC = 0o2000005
const MSG_NOSIGNAL = 0x4000
const MSG_CMSG_CLOEXEC = 0x40000000
const SIGCHLD = 17
const WALL = 0x40000000

export interface HelperProcess {
  readonly pid: Slot
  /** The end of whoever talks to it. */
  readonly socket: Slot
}

/** Forks a child that runs what `emitChild` emits with its end of the socket, and ends. */
export function emitHelperProcess(
  b: PlanBuilder,
  emitChild: (socket: Slot) => void,
): HelperProcess {
  const ends = b.zeros(8)
  b.run('socketpair', [AF_UNIX, SOCK_SEQPACKET_CLOEXEC, 0, ends])
  const socket = b.load(4, ends)
  const own = b.load(4, ends, 4)
  const parent = b.label()
  const pid = b.sys('clone3', [cloneArgs(b, 0, SIGCHLD), CLONE_ARGS_SIZE])
  b.branch(pid, 'ne', 0, parent)
  b.run('close', [socket])
  emitChild(own)
  b.exit(0)
  b.place(parent)
  b.run('close', [own])
  return { pid, socket }
}

/** Closes this end and waits until the helper has ended, by itself or because of that. */
export function emitAwaitHelper(b: PlanBuilder, { pid, socket }: HelperProcess): void {
  b.run('close', [socket])
  b.run('wait4', [pid, 0, WALL, 0])
}

/** Sends `word` alone. The other end may be gone: it has reported why. */
export function emitSendWord(b: PlanBuilder, socket: Slot, word: string): void {
  b.run('sendto', [socket, b.string(word), word.length, MSG_NOSIGNAL, 0, 0], {
    tolerate: ['EPIPE'],
  })
}

/** Sends `word` with a copy of the descriptor `fd`. */
export function emitSendDescriptor(b: PlanBuilder, socket: Slot, word: string, fd: Slot): void {
  b.run('sendmsg', [socket, descriptorMessage(b, word, fd), MSG_NOSIGNAL], {
    tolerate: ['EPIPE'],
  })
}

export interface Received extends ReceivedMessage {
  /** Its length; 0 when the other end is gone. */
  readonly length: Slot
}

export function emitReceive(b: PlanBuilder, socket: Slot): Received {
  const message = receivedMessage(b)
  return { ...message, length: b.sys('recvmsg', [socket, message.header, MSG_CMSG_CLOEXEC]) }
}

/** The descriptor of a message that was received. */
export function descriptorOf(b: PlanBuilder, message: ReceivedMessage): Slot {
  return b.load(4, message.control, 16)
}

/** Waits for a descriptor; without one the process ends, because the other end has reported what failed. */
export function emitReceiveDescriptor(b: PlanBuilder, socket: Slot): Slot {
  const message = emitReceive(b, socket)
  const received = b.label()
  b.branch(message.length, 'gt', 0, received)
  b.exit(EXIT_ABANDONED)
  b.place(received)
  return descriptorOf(b, message)
}
