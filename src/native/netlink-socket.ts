/** Requests over an rtnetlink(7) socket, each with its whole answer. */
import { SyscallError } from '../errors.ts'
import { errnoName } from '../linux/errno.ts'
import {
  decodeMessages,
  encodeRequest,
  endOfAnswer,
  type NetlinkMessage,
  type NetlinkRequest,
  NLM_F_ACK,
} from '../linux/netlink-message.ts'
import { OwnedFd } from './owned-fd.ts'
import { newBatch, runBatch } from './run-batch.ts'
import { syscall } from './syscalls.ts'

const AF_NETLINK = 16
const SOCK_RAW_CLOEXEC = 3 | 0o2000000
const NETLINK_ROUTE = 0
const NETLINK_NETFILTER = 12
/** The kernel's datagrams of a dump are at most 32 KiB (NLMSG_GOODSIZE and net/netlink/af_netlink.c). */
const DATAGRAM_SIZE = 65_536

let lastSequence = 0

/** A socket of the network namespace that this process is in. */
export function openRouteSocket(): OwnedFd {
  return new OwnedFd(syscall('socket', [AF_NETLINK, SOCK_RAW_CLOEXEC, NETLINK_ROUTE]))
}

/** A socket for nf_tables of the network namespace that this process is in. */
export function openNetfilterSocket(): OwnedFd {
  return new OwnedFd(syscall('socket', [AF_NETLINK, SOCK_RAW_CLOEXEC, NETLINK_NETFILTER]))
}

/**
 * Sends `request` and reads the answer, which the kernel has ready at once. Throws SyscallError with the
 * errno that the kernel answered, `what` standing for the system call.
 */
export function askKernel(
  socket: number,
  request: NetlinkRequest,
  what: string,
): readonly NetlinkMessage[] {
  lastSequence += 1
  const sequence = lastSequence
  const send = newBatch()
  const bytes = encodeRequest(request, sequence)
  send.run('sendto', [socket, send.bytes(bytes), bytes.length, 0, 0, 0])
  runBatch(send)
  const messages: NetlinkMessage[] = []
  for (;;) {
    for (const message of receive(socket)) {
      // What is left of an answer that nobody read to its end is not ours.
      if (message.sequence !== sequence) continue
      const errno = endOfAnswer(message)
      if (errno === 0) return messages
      if (errno !== undefined) throw new SyscallError(what, errno, errnoName(errno))
      messages.push(message)
    }
  }
}

/**
 * Sends `requests` in one datagram, which the kernel works off in order, and waits until it has acknowledged the
 * last that asks for that. Throws SyscallError with the first errno. The socket is good for nothing
 * else after a failure: answers to later requests may be left in it.
 */
export function askKernelAll(
  socket: number,
  requests: readonly NetlinkRequest[],
  what: (index: number) => string,
): void {
  const last = requests.findLastIndex(({ flags }) => (flags & NLM_F_ACK) !== 0)
  if (last < 0) throw new RangeError('no request asks for an answer')
  const first = lastSequence + 1
  lastSequence += requests.length
  const bytes = Buffer.concat(requests.map((request, i) => encodeRequest(request, first + i)))
  const send = newBatch()
  send.run('sendto', [socket, send.bytes(bytes), bytes.length, 0, 0, 0])
  runBatch(send)
  for (;;) {
    for (const message of receive(socket)) {
      const index = message.sequence - first
      const errno = endOfAnswer(message)
      if (index < 0 || index >= requests.length || errno === undefined) continue
      if (errno !== 0) throw new SyscallError(what(index), errno, errnoName(errno))
      if (index === last) return
    }
  }
}

function receive(socket: number): readonly NetlinkMessage[] {
  const batch = newBatch()
  const buffer = batch.zeros(DATAGRAM_SIZE)
  const length = batch.sys('recvfrom', [socket, buffer, DATAGRAM_SIZE, 0, 0, 0])
  const result = runBatch(batch)
  return decodeMessages(result.bytes(buffer).subarray(0, result.value(length)))
}
